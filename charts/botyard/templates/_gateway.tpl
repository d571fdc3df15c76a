{{/*
What the gateway is told by its environment. Takes .Values.gateway; refuses what does not fit together.
*/}}
{{- define "botyard.gatewayEnvironment" -}}
{{- $auth := .auth }}
{{- $oidc := $auth.oidc }}
{{- if and (has "oidc" $auth.ways) (not $oidc.issuer) }}
{{- fail "gateway.auth.ways has oidc: set gateway.auth.oidc.issuer" }}
{{- end }}
{{- if and (has "oidc" $auth.ways) (not $oidc.audiences) }}
{{- fail "gateway.auth.ways has oidc: set gateway.auth.oidc.audiences; without, tokens for other applications would be let in" }}
{{- end }}
{{- if and $oidc.issuer (not (has "oidc" $auth.ways)) }}
{{- fail "gateway.auth.oidc.issuer has no effect: add oidc to gateway.auth.ways" }}
{{- end }}
{{- if and (has "tokens" $auth.ways) (not $auth.tokensSecret) }}
{{- fail "gateway.auth.ways has tokens: set gateway.auth.tokensSecret" }}
{{- end }}
{{- if and (hasPrefix "file:" .accounting.storage) (not .accounting.claim) }}
{{- fail "gateway.accounting.storage is a folder: set gateway.accounting.claim, or what is written there ends with the pod" }}
{{- end }}
{{- if and $auth.tokensSecret (not (has "tokens" $auth.ways)) }}
{{- fail "gateway.auth.tokensSecret has no effect: add tokens to gateway.auth.ways" }}
{{- end -}}
- {name: BOTYARD_AUTH, value: {{ join "+" $auth.ways | quote }}}
{{- with $auth.audiences }}
- {name: BOTYARD_AUDIENCES, value: {{ join "," . | quote }}}
{{- end }}
{{- if has "tokens" $auth.ways }}
- {name: BOTYARD_TOKENS_FILE, value: /etc/botyard/tokens/tokens.yaml}
{{- end }}
{{- if has "oidc" $auth.ways }}
- {name: BOTYARD_OIDC_ISSUER, value: {{ $oidc.issuer | quote }}}
- {name: BOTYARD_OIDC_AUDIENCES, value: {{ join "," $oidc.audiences | quote }}}
- {name: BOTYARD_OIDC_ALGORITHMS, value: {{ join "," $oidc.algorithms | quote }}}
- {name: BOTYARD_OIDC_USER_CLAIM, value: {{ $oidc.userClaim | quote }}}
- {name: BOTYARD_OIDC_USER_PREFIX, value: {{ $oidc.userPrefix | quote }}}
- {name: BOTYARD_OIDC_GROUPS_CLAIM, value: {{ $oidc.groupsClaim | quote }}}
- {name: BOTYARD_OIDC_GROUPS_PREFIX, value: {{ $oidc.groupsPrefix | quote }}}
{{- if $oidc.caConfigMap }}
- {name: BOTYARD_OIDC_CA_FILE, value: /etc/botyard/oidc/ca.crt}
{{- end }}
{{- end }}
{{- with .cors.origins }}
- {name: BOTYARD_CORS_ORIGINS, value: {{ join "," . | quote }}}
{{- end }}
{{- with .chat.namespace }}
- {name: BOTYARD_CHAT_NAMESPACE, value: {{ . | quote }}}
{{- end }}
{{- if .chat.anonymous }}
- {name: BOTYARD_CHAT_ANONYMOUS, value: "true"}
{{- end }}
{{- with .chat.paidGroups }}
- {name: BOTYARD_PAID_GROUPS, value: {{ join "," . | quote }}}
{{- end }}
{{- with .chat.privilegedGroups }}
- {name: BOTYARD_PRIVILEGED_GROUPS, value: {{ join "," . | quote }}}
{{- end }}
{{- if .chat.limits }}
{{- $limits := list }}
{{- range $kind, $numbers := .chat.limits }}
{{- $limits = append $limits (printf "%s=%s" $kind $numbers) }}
{{- end }}
- {name: BOTYARD_CHAT_LIMITS, value: {{ join "," $limits | quote }}}
{{- end }}
{{- if ne (len .chat.transports) 2 }}
- {name: BOTYARD_SOCKET_TRANSPORTS, value: {{ join "," .chat.transports | quote }}}
{{- end }}
{{- with .accounting.storage }}
- {name: BOTYARD_ACCOUNTING, value: {{ . | quote }}}
{{- end }}
- {name: BOTYARD_RATE, value: {{ .limits.userRate | toString | quote }}}
- {name: BOTYARD_BURST, value: {{ .limits.userBurst | int | toString | quote }}}
- {name: BOTYARD_BOT_RATE, value: {{ .limits.botRate | toString | quote }}}
- {name: BOTYARD_BOT_BURST, value: {{ .limits.botBurst | int | toString | quote }}}
- {name: BOTYARD_MAX_PENDING, value: {{ .limits.pendingEvents | int | toString | quote }}}
- {name: BOTYARD_MAX_FILE, value: {{ .limits.fileBytes | int64 | toString | quote }}}
- {name: BOTYARD_MAX_FILES, value: {{ .limits.botFilesBytes | int64 | toString | quote }}}
- {name: BOTYARD_MAX_STREAMS, value: {{ .limits.streams | int | toString | quote }}}
- {name: BOTYARD_WRITE_TIMEOUT, value: {{ .limits.writeTimeoutSeconds | toString | quote }}}
{{- end }}
