"""For each reason of a Bot or Persona a message as it is written, and what to do: the tables in `docs/`."""

from collections.abc import Mapping

from botyard_operator.api.guidance_entry import Guidance
from botyard_operator.api.reasons import Reason

_REVISION = "main@sha1:5d0c1f2e9a7b4c3d8e6f1a2b3c4d5e6f7a8b9c0d"
_POD = "repairs-5f76c6df9-wpgdh"

BOT: Mapping[Reason, Guidance] = {
    Reason.SUCCEEDED: Guidance("2 of 2 replicas are available", "Nothing to do."),
    Reason.PROGRESSING: Guidance("the Deployment is being created", "Wait."),
    Reason.RETRYING: Guidance(
        "Deployment/shop/repairs could not be written: the server is currently unable to handle the request",
        "Wait; annotate `botyard.dev/requestedAt` to try at once.",
    ),
    Reason.BUDGET_USED_UP: Guidance(
        "Bot repairs has spent 5000000 of 5000000 coins on 2026-01-01: raise spec.budget.daily, grant more by "
        "`kubectl botyard budget grant`, or wait for the next day",
        "Follow the message; calls go on by themselves when there is money.",
    ),
    Reason.INVALID_SPEC: Guidance(
        "spec.podTemplate.spec.hostNetwork is refused: write false or leave it out",
        "Correct the field that the message names; what runs goes on.",
    ),
    Reason.REFERENCE_NOT_FOUND: Guidance(
        "Secret pay of credential PAYMENT_KEY does not exist in namespace shop: create it",
        "`kubectl -n shop create secret generic pay --from-literal=key=…`; the Bot goes on by itself.",
    ),
    Reason.REFERENCE_INVALID: Guidance(
        "Secret pay of credential PAYMENT_KEY has no entry key (it has token): add the entry or "
        "correct spec.credentials",
        "Add the entry, or name one that is there.",
    ),
    Reason.ACCESS_DENIED: Guidance(
        "the operator may not write Deployment/shop/repairs: deployments.apps is forbidden; grant its service account "
        "the permission",
        "Install the chart's roles for this namespace (`namespaces` of the chart's values), or ask who does.",
    ),
    Reason.BUNDLE_NOT_FOUND: Guidance(
        "Bundle repairs does not exist in namespace shop: create it or correct spec.bundleRef",
        "Create the Bundle, or correct the name; the Bot goes on by itself.",
    ),
    Reason.BUNDLE_NOT_READY: Guidance(
        "Bundle shop/repairs has no revision to run yet: the source is being fetched",
        "`kubectl botyard why BOT` names the Bundle's own cause.",
    ),
    Reason.BUNDLE_NOT_ALLOWED: Guidance(
        "Bundle platform/repairs is for its own namespace only: write spec.allowedNamespaces {from: All}, or a "
        "selector that matches namespace shop, into it",
        "Ask the Bundle's owner to admit the namespace, or create a Bundle in the Bot's own.",
    ),
    Reason.REVISION_NOT_FOUND: Guidance(
        f"Bundle shop/repairs does not keep revision main@sha1:77aa…: write one of those in its status.history into "
        f"spec.bundleRef.revision ({_REVISION}), or leave it out; spec.retain of the Bundle keeps more",
        "Pin a revision that is there, or end the pin by `kubectl botyard rollback BOT --follow`.",
    ),
    Reason.STOPPED: Guidance("stopped: spec.replicas is 0", "`kubectl scale bot/repairs --replicas=1` starts it."),
    Reason.ASLEEP: Guidance("asleep: no event waits; the next one wakes it", "Nothing to do: send a message."),
    Reason.PODS_NOT_READY: Guidance("none of 2 replicas is available yet", "Wait; a cause follows when there is one."),
    Reason.ROLLING_OUT: Guidance(
        "1 of 2 replicas run the newest revision and configuration", "Wait; `spec.rollout.progressDeadline` bounds it."
    ),
    Reason.PROGRESS_DEADLINE_EXCEEDED: Guidance(
        f"no progress within 300 s (spec.rollout.progressDeadline); {_REVISION} keeps serving: look at "
        f"the pods' events "
        "and logs",
        "Mend what the message names; a revision that works ends it.",
    ),
    Reason.RAMPING: Guidance(
        f"10 % of new conversations begin on {_REVISION}, 50 % in 8 min; main@sha1:77aa… has the others",
        "Wait; `kubectl botyard promote BOT` goes on to the next step, `kubectl botyard rollback BOT` returns.",
    ),
    Reason.RAMP_FAILED: Guidance(
        f"{_REVISION} failed while it was ramped and was taken back: 4 of 20 turns failed, 0 of 180 on main@sha1:77aa… "
        "(spec.rollout.rampFailures allows 10 % more); a new revision, or a change of what it needs, is tried at once; "
        "the annotation botyard.dev/requestedAt tries this one again",
        "Look for what failed (`kubectl botyard turns`, the pods' logs), mend the bundle and push.",
    ),
    Reason.QUOTA_EXCEEDED: Guidance(
        'the namespace\'s quota refuses the pods: pods "repairs-x" is forbidden: exceeded quota: '
        "compute; raise the quota "
        "or lower spec.replicas",
        "Raise the ResourceQuota, or ask for less.",
    ),
    Reason.PODS_REFUSED: Guidance(
        f"pod {_POD} gets no volumes or no network: `kubectl describe pod {_POD}` shows what it lacks",
        "Follow the message: it is the API server's or the kubelet's.",
    ),
    Reason.CRASH_LOOP: Guidance(
        f"pod {_POD} cannot import the bundle: ModuleNotFoundError: No module named 'stripe_client' (at bot.py:1 in "
        "<module>); correct the bundle's code and push it",
        "Correct the bundle and push; the last good revision answers until then.",
    ),
    Reason.IMAGE_PULL_FAILED: Guidance(
        f"container worker of pod {_POD} cannot pull image registry.example.com/runtime:1: correct the installation's "
        f"runtime image or its pull credentials; `kubectl describe pod {_POD}` has the registry's answer",
        "Correct `images` of the chart's values, or the pull secret.",
    ),
    Reason.UNSCHEDULABLE: Guidance(
        f"pod {_POD} cannot be scheduled: 0/3 nodes are available: 3 Insufficient memory; free or add nodes, or lower "
        "spec.resources.requests",
        "Make room, ask for less, or correct nodeSelector and tolerations in `spec.podTemplate`.",
    ),
    Reason.CONFLICT: Guidance(
        "Service repairs exists in namespace shop and does not belong to Bot repairs: delete or rename it, or give the "
        "Bot another name",
        "Decide who keeps the name; nothing of others is touched.",
    ),
    Reason.SCENARIOS_RUNNING: Guidance(
        f"{_REVISION} takes over when they passed: its scenarios run",
        "Wait; `kubectl logs -l botyard.dev/scenarios-of=repairs` follows them.",
    ),
    Reason.SCENARIOS_FAILED: Guidance(
        f"1 of 12 scenarios of {_REVISION} fail: 'A small repair is quoted and booked' (scenarios/booking.yaml:9): "
        'output 1: the text is "Which bike?", "Which bicycle is it?" was expected; a new revision is tried at once, '
        "the annotation botyard.dev/requestedAt tries this one again (spec.rollout.scenarios)",
        "Correct the bot or the scenario: `botyard scenario DIR` shows the same. `spec.rollout.scenarios: Advisory` "
        "lets the revision take over all the same.",
    ),
    Reason.COUNTING_CONVERSATIONS: Guidance(
        f"the stored conversations are held against {_REVISION}; main@sha1:77aa… runs until then", "Wait."
    ),
    Reason.CONVERSATIONS_NOT_COUNTED: Guidance(
        "Redis does not answer: ConnectionError: …; main@sha1:77aa… runs on",
        "See to Redis; it is tried again every 30 s, and at once by annotating `botyard.dev/requestedAt`.",
    ),
    Reason.STATE_INCOMPATIBLE: Guidance(
        f"7 of 20 stored conversations cannot go on with {_REVISION}: StateGone ask (5), VariableInvalid amount (2); "
        "main@sha1:77aa… runs on. Bring back what the conversations need, let them end (they are counted again every "
        "30 s), or write spec.rollout.onIncompatibleState: Drain or Reset",
        "Keep the states and variables in the code until the conversations have left them, or let them begin anew. "
        "`botyard compatibility DIR BOT` shows which ones before you push.",
    ),
    Reason.CONVERSATIONS_DRAINING: Guidance(
        f"7 of 20 stored conversations cannot go on with {_REVISION}: StateGone ask (7): they end on main@sha1:77aa…, "
        "which runs beside it until then",
        "Wait: they are counted again every 30 s. `spec.rollout.onIncompatibleState: Reset` ends the wait.",
    ),
    Reason.CONVERSATIONS_RESET: Guidance(
        f"7 of 20 stored conversations cannot go on with {_REVISION}: StateGone ask (7): they begin anew at their next "
        "message",
        "Nothing to do: `spec.rollout.onIncompatibleState: Reset` asks for it.",
    ),
    Reason.MANIFEST_MISSING: Guidance(
        f"the machine of {_REVISION} is not known, so its conversations were not looked at: the installation builds "
        "no bundles, or it is older than the Bundle's manifest",
        "Let the installation build bundles (`builds` of the chart's values).",
    ),
    Reason.SCALED_BY_OTHERS: Guidance(
        "HorizontalPodAutoscaler keda-hpa-repairs (KEDA makes one for a ScaledObject) scales the Bot, too: delete it, "
        "or leave out spec.autoscaling; until then the operator only wakes it",
        "Keep one of the two: the other autoscaler, or `spec.autoscaling`.",
    ),
    Reason.DEFAULT_CONFLICT: Guidance(
        "spec.default is true in clerk of namespace shop too: leave it true in one Bot; until then the oldest is the "
        "default",
        "Write `spec.default: false` into all but one.",
    ),
}

PERSONA: Mapping[Reason, Guidance] = {
    Reason.SUCCEEDED: Guidance("hired: its Bot works with this setup", "Nothing to do."),
    Reason.PROGRESSING: Guidance("the ConfigMaps of Bot clerk are being written", "Wait: it takes about a second."),
    Reason.RETRYING: Guidance("ConfigMap/shop/clerk-personas-0 could not be written: timeout", "Wait."),
    Reason.SUSPENDED: Guidance(
        "suspended before it was hired: write suspend: false", "Write `spec.suspend: false` to go on."
    ),
    Reason.INVALID_SPEC: Guidance(
        "spec.setup: is 7; write a map", "Correct the field that the message names; the last good setup stays in force."
    ),
    Reason.HANDLER_MISSING: Guidance(
        "nothing handles calls of write_letter: the model is told so at once",
        "Register a handler in the bundle's main loop (`@rcx.on_tool_call`), or take the tool out of "
        "`inprocess_tools`.",
    ),
    Reason.LOOP_FAILING: Guidance(
        "its main loop ended 3 times in a row, last with KeyError: 'token'; it is entered again after growing pauses",
        "Look for the exception in the Bot's log; mend the bundle, or the setup that it cannot work with.",
    ),
    Reason.SUBSCRIPTION_INVALID: Guidance(
        "spec.erp.subscriptions[0].table: there is no table crm_contacts: did you mean crm_contact?",
        "Correct what the message names; the last good subscriptions stay in force.",
    ),
    Reason.SETUP_INVALID: Guidance(
        "spec.setup: greting is no key of Bundle clerk: did you mean greeting?",
        "Correct the keys that the message names; the last good setup stays in force.",
    ),
    Reason.REFERENCE_NOT_FOUND: Guidance(
        "Secret crm of setup key API_KEY does not exist in namespace shop: create it",
        "`kubectl -n shop create secret generic crm --from-literal=token=…`; the Persona goes on by itself.",
    ),
    Reason.REFERENCE_INVALID: Guidance(
        "Secret crm of setup key API_KEY has no entry token (it has key): add the entry",
        "Add the entry, or name one that is there.",
    ),
    Reason.ACCESS_DENIED: Guidance(
        "the operator may not write ConfigMap/shop/clerk-personas-0: configmaps is forbidden; grant its "
        "service account "
        "the permission",
        "Install the chart's roles for this namespace.",
    ),
    Reason.TOO_LARGE: Guidance(
        "the 8 ConfigMaps of Bot clerk have no room for its 950000 bytes: make the setup smaller",
        "Shorten the setup, or hire it from another Bot of the same Bundle.",
    ),
    Reason.BOT_NOT_FOUND: Guidance(
        "Bot clerk does not exist in namespace shop: create it", "Create the Bot; the Persona goes on by itself."
    ),
    Reason.BOT_WITHOUT_LOOP: Guidance(
        "Bundle repairs of Bot repairs has the model fsm, whose bots have no loop: setup, schedules, erp, "
        "maxInProgress and mongo have no effect; displayName and budget do",
        "Hire it from a Bot whose Bundle has the model loop (`kubectl get bundle repairs -o "
        "jsonpath='{.status.manifest.model}'`).",
    ),
    Reason.BUDGET_USED_UP: Guidance(
        "Persona nora has spent 1000000 of 1000000 coins on 2026-01-01: raise spec.budget.daily, grant more by "
        "`kubectl botyard budget grant`, or wait for the next day",
        "Follow the message; calls go on by themselves when there is money.",
    ),
    Reason.BOT_NOT_READY: Guidance(
        "Bot clerk is not ready: none of 1 replicas is available yet", "`kubectl botyard why clerk` names the cause."
    ),
}
