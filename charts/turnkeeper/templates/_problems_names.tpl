{{/* Names of objects in the cluster, and of keys in them, wherever they stand. */}}
{{- define "turnkeeper.problems.names" -}}
{{- include "turnkeeper.problems.namesIn" (list "" (pick .Values "store" "persistence" "secretsKey" "admin" "proxy" "trustedCa" "agents" "bots")) }}
{{- range list "nameOverride" "fullnameOverride" }}
{{- with get $.Values . }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .) }}
nameOverride and fullnameOverride must be lower-case letters, digits and hyphens, beginning with a letter; {{ . | quote }} is not
{{- end }}
{{- end }}
{{- end }}
{{- range $number, $name := .Values.secrets.files }}
{{- include "turnkeeper.problems.name" (list (printf "secrets.files[%d]" $number) "Secret" $name) }}
{{- end }}
{{- include "turnkeeper.problems.name" (list "serviceAccount.name" "ServiceAccount" .Values.serviceAccount.name) }}
{{- include "turnkeeper.problems.name" (list "priorityClassName" "PriorityClass" .Values.priorityClassName) }}
{{- include "turnkeeper.problems.name" (list "ingress.className" "class (IngressClass)" .Values.ingress.className) }}
{{- include "turnkeeper.problems.name" (list "persistence.storageClass" "StorageClass" (.Values.persistence.storageClass | trimAll "-")) }}
{{- end }}

{{/* (list place kind name) */}}
{{- define "turnkeeper.problems.name" -}}
{{- if not (regexMatch "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$" (last .)) }}
{{ first . }} must be the name of a {{ index . 1 }}, of lower-case letters, digits, hyphens and dots
{{- end }}
{{- end }}

{{/* (list place key) */}}
{{- define "turnkeeper.problems.key" -}}
{{- if not (regexMatch "^[-._a-zA-Z0-9]+$" (last .)) }}
{{ first . }} must be the name of a key in the Secret or ConfigMap, of letters, digits, hyphens, dots and underscores
{{- end }}
{{- end }}

{{/* (list place values) */}}
{{- define "turnkeeper.problems.namesIn" -}}
{{- $place := first . -}}
{{- $values := last . -}}
{{- $kinds := dict "existingSecret" "Secret" "existingConfigMap" "ConfigMap" "existingClaim" "PersistentVolumeClaim" }}
{{- range $name, $value := $values }}
{{- $here := printf "%s%s" $place $name }}
{{- if hasKey $kinds $name }}
{{- include "turnkeeper.problems.name" (list $here (get $kinds $name) $value) }}
{{- else if and (hasKey $values "existingSecret") (has $name (list "key" "existingSecretKey")) }}
{{- include "turnkeeper.problems.key" (list $here $value) }}
{{- else if eq $name "existingSecretKeys" }}
{{- range $credential, $key := $value }}
{{- include "turnkeeper.problems.key" (list (printf "%s.%s" $here $credential) $key) }}
{{- end }}
{{- else if kindIs "map" $value }}
{{- include "turnkeeper.problems.namesIn" (list (printf "%s." $here) $value) }}
{{- else if has $name (list "agents" "bots") }}
{{- range $number, $one := $value }}
{{- include "turnkeeper.problems.namesIn" (list (printf "%s[%d]." $name $number) $one) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "turnkeeper.problems.image" -}}
{{- with .Values.image }}
{{- if contains "@" .repository }}
image.repository has a digest in it; write the digest, sha256:…, into image.digest
{{- else if regexMatch ":[^/]*$" .repository }}
image.repository has a tag in it; write the tag into image.tag
{{- end }}
{{- if regexMatch `[^-a-z0-9._/:@]` .repository }}
image.repository must be lower-case letters, digits, hyphens, dots and slashes, such as registry.example.com/turnkeeper
{{- end }}
{{- if and .digest (not (regexMatch "^sha256:[0-9a-f]{64}$" .digest)) }}
image.digest must be sha256: and 64 hexadecimal digits, as docker buildx imagetools inspect prints it
{{- end }}
{{- if and .tag (not (regexMatch `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$` .tag)) }}
image.tag must be a tag such as 0.1.0, without a colon in front
{{- end }}
{{- end }}
{{- end }}
