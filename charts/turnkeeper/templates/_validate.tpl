{{/*
What the schema cannot say: every problem of the values at once, each with what to write instead. Fails, or is empty.
*/}}
{{- define "turnkeeper.validate" -}}
{{- $problems := list -}}
{{- range list "names" "image" "store" "secrets" "bots" "network" "pods" "scaling" "monitoring" -}}
  {{- $found := include (printf "turnkeeper.problems.%s" .) $ | trim -}}
  {{- range splitList "\n" $found -}}
    {{- with trim . }}{{ $problems = append $problems . }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- with $problems -}}
{{- fail (printf "\n\nThe values cannot be used:\n- %s\n" (join "\n- " .)) -}}
{{- end -}}
{{- end }}

{{/* Seconds of a duration as turnkeeper.yaml has them, rounded up; empty where it is none. */}}
{{- define "turnkeeper.seconds" -}}
{{- $text := toString . | trim -}}
{{- if regexMatch `^[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d)?$` $text -}}
{{- $unit := regexFind `[a-z]*$` $text -}}
{{- $seconds := get (dict "ms" 0.001 "" 1.0 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0) $unit -}}
{{- mulf (regexFind `^[0-9.]+` $text | float64) $seconds | ceil | int -}}
{{- end -}}
{{- end }}

{{/* Whether a text refers to a secret instead of being one. */}}
{{- define "turnkeeper.reference" -}}
{{- if regexMatch `^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|\$\{[A-Za-z_][A-Za-z0-9_]*(:-)?\})$` . -}}true{{- end }}
{{- end }}

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
{{- if and .digest (not (regexMatch "^sha256:[0-9a-f]{64}$" .digest)) }}
image.digest must be sha256: and 64 hexadecimal digits, as docker buildx imagetools inspect prints it
{{- end }}
{{- if and .tag (not (regexMatch `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$` .tag)) }}
image.tag must be a tag such as 0.1.0, without a colon in front
{{- end }}
{{- end }}
{{- end }}

{{- define "turnkeeper.problems.store" -}}
{{- $kind := include "turnkeeper.storeKind" . }}
{{- with .Values.store }}
{{- if and .url .existingSecret }}
store.url and store.existingSecret are both given; keep one of them
{{- end }}
{{- if and .url (not (regexMatch `^(sqlite:|memory:$|rediss?(\+sentinel|\+cluster)?://[^/])` .url)) }}
store.url must be empty (SQLite on the claim), redis://host:6379/0 (also rediss, redis+sentinel or redis+cluster), or memory:
{{- end }}
{{- if and (hasPrefix "sqlite:" .url) (not (regexMatch (printf "^sqlite:///%s/[^/]+$" (include "turnkeeper.dataPath" .)) .url)) }}
store.url names an SQLite file outside of the volume; leave it empty, or write sqlite:///{{ include "turnkeeper.dataPath" . }}/NAME.db
{{- end }}
{{- if regexMatch `^[a-z+]+://[^/@]*:[^/@]*@` .url }}
store.url has a password in it, which everybody who may read ConfigMaps would see; name a Secret with the whole URL in store.existingSecret, or one with the password in store.password.existingSecret
{{- end }}
{{- if and (ne $kind "redis") (include "turnkeeper.several" $) }}
several replicas need a Redis 7 or Valkey that they share: write its address into store.url or name a Secret with it in store.existingSecret, or set replicaCount: 1, autoscaling.enabled: false and keda.enabled: false
{{- end }}
{{- if and (eq $kind "sqlite") (not $.Values.persistence.enabled) }}
persistence.enabled is false, and without a volume SQLite forgets everything at a restart; write persistence.enabled: true, or name a Redis in store.url, or write store.url: "memory:" if that is what you want
{{- end }}
{{- if ne $kind "redis" }}
{{- if ne .durability "fast" }}
store.durability: replicated is for Redis; write fast, or name a Redis in store.url
{{- end }}
{{- range $name, $given := dict "username" .username "password" (or .password.value .password.existingSecret) "sentinelPassword" (or .sentinelPassword.value .sentinelPassword.existingSecret) "ca" (or .ca.existingSecret .ca.existingConfigMap) }}
{{- if $given }}
store.{{ $name }} is for Redis; take it out, or name a Redis in store.url
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq $kind "redis") .url }}
{{- if and (or .ca.existingSecret .ca.existingConfigMap) (not (hasPrefix "rediss" .url)) }}
store.ca is for TLS; write {{ .url | replace "redis" "rediss" | regexFind "^[a-z+]+" }}:// in store.url, or take it out
{{- end }}
{{- if and (or .sentinelPassword.value .sentinelPassword.existingSecret) (not (contains "+sentinel" .url)) }}
store.sentinelPassword is for Sentinel; write redis+sentinel:// in store.url, or take it out
{{- end }}
{{- end }}
{{- if and .ca.existingSecret .ca.existingConfigMap }}
store.ca.existingSecret and store.ca.existingConfigMap are both given; keep one of them
{{- end }}
{{- if not (regexMatch "^[A-Za-z0-9_-]{1,64}$" .namespace) }}
store.namespace must be 1 to 64 letters, digits, hyphens or underscores, such as turnkeeper
{{- end }}
{{- end }}
{{- with .Values.persistence }}
{{- if not (regexMatch `^[0-9]+(\.[0-9]+)?([EPTGMK]i?|m)?$` (toString .size)) }}
persistence.size must be a quantity such as 8Gi
{{- end }}
{{- end }}
{{- end }}

{{- define "turnkeeper.problems.secrets" -}}
{{- if not (include "turnkeeper.given" .Values.secretsKey) }}
secretsKey is missing, which encrypts stored credentials: make a Secret once, with kubectl create secret generic turnkeeper-keys --from-literal=secrets-key=$(openssl rand -hex 32), keep a copy, and write secretsKey.existingSecret: turnkeeper-keys
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
{{- range $section, $values := dict "admin.oidc" .Values.admin.oidc "config" .Values.config }}
{{- include "turnkeeper.problems.openSecrets" (list $section $values) }}
{{- end }}
{{- range $section := list "server" "admin" "store" "limits" "drain" "agents" "bots" "secrets_key" }}
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

{{- define "turnkeeper.problems.bots" -}}
{{- $agents := list }}
{{- range $number, $agent := .Values.agents }}
{{- $place := printf "agents[%d]" $number }}
{{- if not (regexMatch "^[a-z0-9][a-z0-9-]{0,62}$" $agent.id) }}
{{ $place }}.id must be lower-case letters, digits and hyphens, at most 63, such as default
{{- end }}
{{- if has $agent.id $agents }}
{{ $place }}.id is {{ $agent.id }} for a second time; give each agent an id of its own
{{- end }}
{{- $agents = append $agents $agent.id }}
{{- if and $agent.api_key $agent.existingSecret }}
{{ $place }} has api_key and existingSecret; keep one of them
{{- end }}
{{- if and $agent.api_key (not (include "turnkeeper.reference" (toString $agent.api_key))) }}
{{ $place }}.api_key would stand in a ConfigMap for everybody to read; put it into a Secret under the key api_key, and write existingSecret: NAME instead
{{- end }}
{{- end }}
{{- $bots := list }}
{{- range $number, $bot := .Values.bots }}
{{- $place := printf "bots[%d]" $number }}
{{- if not (regexMatch "^[a-z0-9][a-z0-9-]{0,62}$" $bot.id) }}
{{ $place }}.id must be lower-case letters, digits and hyphens, at most 63, such as help-desk
{{- end }}
{{- if has $bot.id $bots }}
{{ $place }}.id is {{ $bot.id }} for a second time; give each bot an id of its own
{{- end }}
{{- $bots = append $bots $bot.id }}
{{- if not (has $bot.agent $agents) }}
{{ $place }}.agent: there is no agent {{ $bot.agent | quote }}; {{ with $agents }}write one of {{ join ", " . }}{{ else }}add it to agents{{ end }}
{{- end }}
{{- $names := ternary (list "signing_secret" "bot_token") (list "app_id" "app_secret" "encrypt_key" "verification_token") (eq $bot.channel "slack") }}
{{- range $name, $_ := $bot.existingSecretKeys }}
{{- if not (has $name $names) }}
{{ $place }}.existingSecretKeys has {{ $name }}; write {{ join ", " $names }}, each with the key of the Secret it is under
{{- end }}
{{- end }}
{{- if and $bot.existingSecretKeys (not $bot.existingSecret) }}
{{ $place }}.existingSecretKeys is without existingSecret; name the Secret there
{{- end }}
{{- if and $bot.credentials $bot.existingSecret }}
{{ $place }} has credentials and existingSecret; keep one of them
{{- end }}
{{- range $name, $value := $bot.credentials }}
{{- if and (ne $name "app_id") $value (not (include "turnkeeper.reference" (toString $value))) }}
{{ $place }}.credentials.{{ $name }} would stand in a ConfigMap for everybody to read; put it into a Secret under the key {{ $name }}, and write existingSecret: NAME for the bot instead of credentials
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "turnkeeper.problems.network" -}}
{{- if and .Values.server.publicUrl (not (regexMatch `^https?://[^/?#@ ]+(/[^?# ]*)?$` .Values.server.publicUrl)) }}
server.publicUrl must be an address such as https://bots.example.com
{{- end }}
{{- if eq (int .Values.server.port) (int .Values.admin.port) }}
server.port and admin.port are both {{ .Values.server.port }}; give the admins a port of their own, such as 8081
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
ingress.hosts is empty; write the name of the host at which the platforms reach it, such as [bots.example.com]
{{- end }}
{{- range .Values.ingress.hosts }}
{{- if not (regexMatch `^[a-z0-9*]([-a-z0-9.]*[a-z0-9])?$` .) }}
ingress.hosts has {{ . | quote }}; write a name such as bots.example.com, without https:// and path
{{- end }}
{{- end }}
{{- if .Values.httpRoute.enabled }}
{{- if not .Values.httpRoute.parentRefs }}
httpRoute.parentRefs is empty; write which Gateway it belongs to, such as [{name: public, namespace: gateways}]
{{- end }}
{{- end }}
{{- range .Values.httpRoute.hostnames }}
{{- if not (regexMatch `^[a-z0-9*]([-a-z0-9.]*[a-z0-9])?$` .) }}
httpRoute.hostnames has {{ . | quote }}; write a name such as bots.example.com, without https:// and path
{{- end }}
{{- end }}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") }}
service.nodePort is for service.type: NodePort or LoadBalancer; write that, or take it out
{{- end }}
{{- range $name, $url := dict "http" .Values.proxy.http "https" .Values.proxy.https }}
{{- if $url }}
{{- if not (regexMatch `^http://[^/?# ]+/?$` $url) }}
proxy.{{ $name }} must be an address such as http://proxy.example.com:3128
{{- else if contains "@" $url }}
proxy.{{ $name }} has a password in it, which everybody who may read Deployments would see; put the keys HTTP_PROXY, HTTPS_PROXY and NO_PROXY into a Secret and name it in proxy.existingSecret
{{- end }}
{{- if $.Values.proxy.existingSecret }}
proxy.{{ $name }} and proxy.existingSecret are both given; keep one of them
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.trustedCa.existingSecret .Values.trustedCa.existingConfigMap }}
trustedCa.existingSecret and trustedCa.existingConfigMap are both given; keep one of them
{{- end }}
{{- end }}

{{- define "turnkeeper.problems.pods" -}}
{{- $drain := include "turnkeeper.seconds" .Values.drain }}
{{- if not $drain }}
drain must be a duration such as 330s or 5m
{{- else }}
{{- $needed := add (int .Values.preStopSeconds) (int $drain) 10 }}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $needed) }}
terminationGracePeriodSeconds is {{ .Values.terminationGracePeriodSeconds }}, and replies would be cut short: preStopSeconds ({{ .Values.preStopSeconds }}), drain ({{ $drain }}) and 10 s for the end need {{ $needed }}; write that, or a shorter drain
{{- end }}
{{- end }}
{{- if and (eq (.Values.updateStrategy.type | default "") "RollingUpdate") (eq (include "turnkeeper.storeKind" .) "sqlite") }}
updateStrategy.type is RollingUpdate, and two pods cannot have one SQLite file; write Recreate, or name a Redis in store.url
{{- end }}
{{- range list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" }}
{{- if or (hasKey $.Values.podLabels .) (hasKey $.Values.commonLabels .) }}
podLabels and commonLabels must not have {{ . }}, by which the pods are found; give that label another name
{{- end }}
{{- end }}
{{- end }}

{{- define "turnkeeper.problems.monitoring" -}}
{{- range list "interval" "scrapeTimeout" }}
{{- if not (regexMatch "^([0-9]+(ms|s|m|h))+$" (get $.Values.serviceMonitor .)) }}
serviceMonitor.{{ . }} must be a duration such as 30s
{{- end }}
{{- end }}
{{- end }}

{{- define "turnkeeper.problems.scaling" -}}
{{- with toString .Values.podDisruptionBudget.maxUnavailable }}
{{- if not (regexMatch "^([1-9][0-9]*|([1-9][0-9]?|100)%)$" .) }}
podDisruptionBudget.maxUnavailable must be at least 1, a number of pods or a share such as 25%, or no node could be emptied
{{- end }}
{{- end }}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled }}
autoscaling.enabled and keda.enabled are both true, and would work against each other; keep one of them
{{- end }}
{{- range $name := list "autoscaling" "keda" }}
{{- with get $.Values $name }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{ $name }}.minReplicas is {{ .minReplicas }}, more than {{ $name }}.maxReplicas, {{ .maxReplicas }}; write a smaller one
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.autoscaling }}
{{- if and .enabled (not .targetCPUUtilizationPercentage) (not .targetRepliesInFlight) (not .metrics) }}
autoscaling has no measure to scale by; write targetCPUUtilizationPercentage: 70
{{- end }}
{{- end }}
{{- with .Values.keda }}
{{- if and .enabled (not (regexMatch "^https?://" .prometheus.serverAddress)) }}
keda.prometheus.serverAddress must be the address of Prometheus, such as http://prometheus.monitoring:9090
{{- end }}
{{- end }}
{{- end }}
