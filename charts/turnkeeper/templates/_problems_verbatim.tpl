{{/* What goes verbatim into a manifest, where the API server, or the pod's start, would refuse it. */}}
{{- define "turnkeeper.problems.verbatim" -}}
{{- $labelName := `^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$` }}
{{- $labelValue := `^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$` }}
{{- $quantity := `^[0-9]+(\.[0-9]+)?([EPTGMK]i?|[kmun])?$` }}
{{- $named := dict "podAnnotations" .Values.podAnnotations "service.annotations" .Values.service.annotations "ingress.annotations" .Values.ingress.annotations "httpRoute.annotations" .Values.httpRoute.annotations "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "nodeSelector" .Values.nodeSelector }}
{{- range $place, $values := $named }}
{{- range $name, $value := $values }}
{{- if not (regexMatch $labelName $name) }}
{{ $place }} has the name {{ $name | quote }}; write one of letters, digits, hyphens, dots and underscores, such as team or example.com/team
{{- else if and (not (hasSuffix "nnotations" $place)) (not (regexMatch $labelValue (toString ($value | default "")))) }}
{{ $place }}.{{ $name }} must be at most 63 letters, digits, hyphens, dots and underscores; for other texts there are podAnnotations
{{- end }}
{{- end }}
{{- end }}
{{- range $kind, $values := .Values.resources | default dict }}
{{- range $name, $value := $values }}
{{- if and (not (kindIs "invalid" $value)) (not (regexMatch $quantity (toString $value))) }}
resources.{{ $kind }}.{{ $name }} must be a quantity such as 500m or 256Mi
{{- end }}
{{- end }}
{{- end }}
{{- range list "livenessProbe" "startupProbe" }}
{{- if gt (int (get (get $.Values . | default dict) "successThreshold" | default 1)) 1 }}
{{ . }}.successThreshold must be 1; take it out
{{- end }}
{{- end }}
{{- with .Values.podSecurityContext }}
{{- if and .runAsNonRoot (eq (toString .runAsUser) "0") }}
podSecurityContext.runAsUser is 0, which runAsNonRoot forbids; write 10001, or null where the platform assigns users
{{- end }}
{{- end }}
{{- with .Values.updateStrategy.rollingUpdate }}
{{- if eq ($.Values.updateStrategy.type | default "") "Recreate" }}
updateStrategy.rollingUpdate is for type: RollingUpdate; take it out
{{- else if and (has (toString .maxSurge) (list "0" "0%")) (has (toString .maxUnavailable) (list "0" "0%")) }}
updateStrategy.rollingUpdate lets no pod be replaced; write maxSurge: 1
{{- end }}
{{- end }}
{{- range $number, $one := .Values.extraEnv }}
{{- if not (regexMatch `^[-._a-zA-Z][-._a-zA-Z0-9]*$` $one.name) }}
extraEnv[{{ $number }}].name must be the name of a variable, such as MY_TOKEN
{{- else if and $one.value $one.valueFrom }}
extraEnv[{{ $number }}] has value and valueFrom; keep one of them
{{- end }}
{{- end }}
{{- $own := list "config" "secrets" "tmp" "data" "secret-values" "trusted-ca" }}
{{- $volumes := $own }}
{{- range $number, $one := .Values.extraVolumes }}
{{- if has $one.name $own }}
extraVolumes[{{ $number }}].name is {{ $one.name }}, which the chart has; give it another name
{{- end }}
{{- $volumes = append $volumes $one.name }}
{{- end }}
{{- range $number, $one := .Values.extraVolumeMounts }}
{{- if not (or (has $one.name $volumes) (hasPrefix "secret-" $one.name)) }}
extraVolumeMounts[{{ $number }}].name is {{ $one.name }}, and there is no such volume; add it to extraVolumes
{{- end }}
{{- if has $one.mountPath (list "/tmp" "/etc/turnkeeper" "/run/turnkeeper-ca" (include "turnkeeper.secretsPath" $) (include "turnkeeper.dataPath" $)) }}
extraVolumeMounts[{{ $number }}].mountPath is {{ $one.mountPath }}, where the chart mounts something; write another one
{{- end }}
{{- end }}
{{- range $number, $one := .Values.tolerations }}
{{- if not (has ($one.effect | default "") (list "" "NoSchedule" "PreferNoSchedule" "NoExecute")) }}
tolerations[{{ $number }}].effect must be NoSchedule, PreferNoSchedule or NoExecute
{{- end }}
{{- if not (has ($one.operator | default "Equal") (list "Equal" "Exists")) }}
tolerations[{{ $number }}].operator must be Equal or Exists
{{- end }}
{{- end }}
{{- range $number, $one := .Values.topologySpreadConstraints }}
{{- if not (has $one.whenUnsatisfiable (list "DoNotSchedule" "ScheduleAnyway")) }}
topologySpreadConstraints[{{ $number }}].whenUnsatisfiable must be DoNotSchedule or ScheduleAnyway
{{- end }}
{{- if lt (int $one.maxSkew) 1 }}
topologySpreadConstraints[{{ $number }}].maxSkew must be at least 1
{{- end }}
{{- end }}
{{- range $place := list "webhooksFrom" "adminFrom" }}
{{- range $number, $one := get $.Values.networkPolicy $place }}
{{- with $one.ipBlock }}
{{- if not (regexMatch `^[0-9a-fA-F.:]+/[0-9]{1,3}$` (toString .cidr)) }}
networkPolicy.{{ $place }}[{{ $number }}].ipBlock.cidr must be a range such as 10.0.0.0/8
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $number, $one := .Values.hostAliases }}
{{- if not (regexMatch `^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$` (toString $one.ip)) }}
hostAliases[{{ $number }}].ip must be an address such as 192.0.2.1
{{- end }}
{{- end }}
{{- range $number, $one := .Values.extraObjects }}
{{- if and (kindIs "map" $one) (not (and $one.apiVersion $one.kind)) }}
extraObjects[{{ $number }}] has no {{ ternary "kind" "apiVersion" (hasKey $one "apiVersion") }}; write a whole object, with apiVersion, kind and metadata
{{- end }}
{{- end }}
{{- end }}
