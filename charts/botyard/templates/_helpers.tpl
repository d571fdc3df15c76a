{{/* Labels of every object. */}}
{{- define "botyard.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Selector of one component. Takes (dict "root" $ "component" "operator"). */}}
{{- define "botyard.selector" -}}
app.kubernetes.io/name: botyard
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Name of a cluster-scoped object, unique for each release. Takes (dict "root" $ "name" "operator"). */}}
{{- define "botyard.clusterName" -}}
{{ printf "%s-%s-%s" .root.Release.Namespace .root.Release.Name .name }}
{{- end }}

{{/* An image reference. Takes (dict "root" $ "image" .Values.images.operator). */}}
{{- define "botyard.image" -}}
{{ printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) }}
{{- end }}

{{/* Secret that holds `redis-url`. */}}
{{- define "botyard.redisSecret" -}}
{{ default "botyard-redis" .Values.redis.existingSecret }}
{{- end }}

{{/* Names of the ConfigMaps that hold the routing table, as a list; a role can only allow what it names. */}}
{{- define "botyard.routes" -}}
[botyard-routes{{ range $shard := untilStep 1 16 1 }}, botyard-routes-{{ $shard }}{{ end }}]
{{- end }}

{{/* The pod security of every pod: the restricted standard. */}}
{{- define "botyard.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "botyard.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where pods may run. Takes the component's values. */}}
{{- define "botyard.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
A random value that is made once and kept on upgrades. Takes (dict "root" $ "secret" NAME "key" KEY); returns it in plain.
*/}}
{{- define "botyard.kept" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- $kept := dig "data" .key "" (default dict $secret) -}}
{{- if $kept -}}
{{ $kept | b64dec }}
{{- else -}}
{{ randAlphaNum 48 }}
{{- end -}}
{{- end }}

{{/* What the operator may do in a namespace that it watches, verb by verb. */}}
{{- define "botyard.operatorRules" -}}
- apiGroups: [botyard.dev]
  resources: [bundles, bots, personas]
  verbs: [get, list, watch, patch]
- apiGroups: [botyard.dev]
  resources: [bundles/status, bots/status, personas/status]
  verbs: [get, patch]
# Bots with autoscaling get their replicas by the work that waits.
- apiGroups: [botyard.dev]
  resources: [bots/scale]
  verbs: [patch]
# Another autoscaler of such a Bot is told.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, configmaps, secrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# Pods are read to tell why a Bot is not ready, and annotated so that the kubelet refreshes mounted ConfigMaps at once.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch]
# Bundles are built and inspected in Jobs; one that runs is looked at by name, none is watched.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, create, patch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
# Its labels tell whether a Bundle of another namespace admits its Bots.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end }}
