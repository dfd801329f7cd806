{{- define "turnkeeper.problems.secrets" -}}
{{- if not (include "turnkeeper.given" .Values.secretsKey) }}
secretsKey is missing, which encrypts stored credentials: make a Secret once, with kubectl create secret generic turnkeeper-keys --from-literal=secrets-key=$(openssl rand -base64 32), keep a copy, and write secretsKey.existingSecret: turnkeeper-keys
{{- end }}
{{- range splitList "," .Values.secretsKey.value }}
{{- if and $.Values.secretsKey.value (lt (len (trim .)) 16) }}
secretsKey.value has a key of fewer than 16 characters; make one with openssl rand -base64 32
{{- end }}
{{- end }}
{{- range $name, $secret := dict "secretsKey" .Values.secretsKey "admin.token" .Values.admin.token "store.password" .Values.store.password "store.sentinelPassword" .Values.store.sentinelPassword }}
{{- if and $secret.value $secret.existingSecret }}
{{ $name }}.value and {{ $name }}.existingSecret are both given; keep one of them
{{- end }}
{{- if and $secret.value (include "turnkeeper.reference" $secret.value) }}
{{ $name }}.value must be the secret itself, not a reference to one; for a Secret of yours write {{ $name }}.existingSecret
{{- end }}
{{- end }}
{{- range $name, $_ := .Values.secrets.values }}
{{- if not (regexMatch `^[-._a-zA-Z0-9]+$` $name) }}
secrets.values has the name {{ $name | quote }}; use letters, digits, hyphens, dots and underscores
{{- end }}
{{- end }}
{{- if and .Values.secrets.values (has "values" .Values.secrets.files) }}
secrets.files has a Secret called values, whose place is taken by secrets.values; give it another name
{{- end }}
{{- range $section, $values := dict "admin.oidc" .Values.admin.oidc }}
{{- include "turnkeeper.problems.openSecrets" (list $section $values) }}
{{- end }}
{{- range $name, $value := .Values.telemetry.otlp_headers }}
{{- if and (regexMatch `(?i)auth|key|token|secret|cookie` $name) (not (include "turnkeeper.reference" $value)) }}
telemetry.otlp_headers.{{ $name }} would stand in a ConfigMap for everybody to read; put it into a Secret, name that in secrets.files, and write file:/secrets/SECRET/KEY here
{{- end }}
{{- end }}
{{- range $section := list "server" "admin" "store" "limits" "telemetry" "drain" "agents" "bots" "secrets_key" }}
{{- if hasKey $.Values.config $section }}
config.{{ $section }} is made by the chart; write it as the value {{ ternary "secretsKey" $section (eq $section "secrets_key") }} instead
{{- end }}
{{- end }}
{{- end }}

{{/* (list name values): keys that hold secrets, at any depth, whose values are not references. */}}
{{- define "turnkeeper.problems.openSecrets" -}}
{{- $place := first . -}}
{{- range $name, $value := last . }}
{{- if kindIs "map" $value }}
{{- include "turnkeeper.problems.openSecrets" (list (printf "%s.%s" $place $name) $value) }}
{{- else if and (kindIs "string" $value) $value (regexMatch `(^|_)(secret|password|token|api_key)$` $name) (not (include "turnkeeper.reference" $value)) }}
{{ $place }}.{{ $name }} would stand in a ConfigMap for everybody to read; put it into a Secret, name that in secrets.files, and write file:/secrets/SECRET/KEY here
{{- end }}
{{- end }}
{{- end }}
