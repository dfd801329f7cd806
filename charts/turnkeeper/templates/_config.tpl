{{/* The configuration file. It is not secret: every secret in it is a reference to a mounted file. */}}

{{/* Where the secrets that the chart knows of are mounted; those of ``secrets`` are below /secrets. */}}
{{- define "turnkeeper.secretsPath" -}}/run/turnkeeper{{- end }}

{{/* "true" where a secret of the form {value, existingSecret, key} is given. */}}
{{- define "turnkeeper.given" -}}
{{- if or .value .existingSecret -}}true{{- end }}
{{- end }}

{{- define "turnkeeper.config" -}}
{{- $path := include "turnkeeper.secretsPath" . -}}
{{- $host := .Values.server.host -}}
{{- $server := dict "host" $host "port" (int .Values.server.port) -}}
{{- with include "turnkeeper.publicUrl" . }}{{ $_ := set $server "public_url" . }}{{ end -}}
{{- $admin := dict "listen" (printf "%s:%d" (ternary (printf "[%s]" $host) $host (contains ":" $host)) (int .Values.admin.port)) -}}
{{- if include "turnkeeper.given" .Values.admin.token }}{{ $_ := set $admin "token" (printf "file:%s/admin-token" $path) }}{{ end -}}
{{- with .Values.admin.oidc }}{{ $_ := set $admin "oidc" . }}{{ end -}}
{{- $config := dict "server" $server "admin" $admin "secrets_key" (printf "file:%s/secrets-key" $path) "drain" .Values.drain -}}
{{- $_ := set $config "store" (include "turnkeeper.configStore" . | fromYaml) -}}
{{- with .Values.limits }}{{ $_ := set $config "limits" . }}{{ end -}}
{{- with .Values.telemetry }}{{ $_ := set $config "telemetry" . }}{{ end -}}
{{- $agents := list -}}
{{- range .Values.agents -}}
  {{- $agent := omit . "existingSecret" "existingSecretKey" -}}
  {{- if .existingSecret }}{{ $_ := set $agent "api_key" (printf "file:%s/agents/%s/api_key" $path .id) }}{{ end -}}
  {{- $agents = append $agents $agent -}}
{{- end -}}
{{- $bots := list -}}
{{- range .Values.bots -}}
  {{- $bot := omit . "existingSecret" "existingSecretKeys" -}}
  {{- if .existingSecret -}}
    {{- $credentials := dict -}}
    {{- $id := .id -}}
    {{- range $name, $_ := include "turnkeeper.credentialKeys" . | fromYaml -}}
      {{- $_ := set $credentials $name (printf "file:%s/bots/%s/%s" $path $id $name) -}}
    {{- end -}}
    {{- $_ := set $bot "credentials" $credentials -}}
  {{- end -}}
  {{- $bots = append $bots $bot -}}
{{- end -}}
{{- $_ := set $config "agents" $agents -}}
{{- $_ := set $config "bots" $bots -}}
{{- toYaml (merge $config .Values.config) -}}
{{- end }}

{{/* The section ``store``. */}}
{{- define "turnkeeper.configStore" -}}
{{- $path := include "turnkeeper.secretsPath" . -}}
{{- $kind := include "turnkeeper.storeKind" . -}}
{{- with .Values.store -}}
url: {{ if .existingSecret }}${TURNKEEPER_STORE_URL}{{ else }}{{ .url | default (printf "sqlite:///%s/turnkeeper.db" (include "turnkeeper.dataPath" $)) | quote }}{{ end }}
{{- if eq $kind "redis" }}
durability: {{ .durability }}
namespace: {{ .namespace }}
{{- with .username }}
username: {{ . | quote }}
{{- end }}
{{- if include "turnkeeper.given" .password }}
password: file:{{ $path }}/store-password
{{- end }}
{{- if include "turnkeeper.given" .sentinelPassword }}
sentinel_password: file:{{ $path }}/sentinel-password
{{- end }}
{{- if or .ca.existingSecret .ca.existingConfigMap }}
ca_file: {{ $path }}/store-ca.crt
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of a bot: which credential is under which key of its Secret. */}}
{{- define "turnkeeper.credentialKeys" -}}
{{- if .existingSecretKeys -}}
{{ toYaml .existingSecretKeys }}
{{- else if eq .channel "slack" -}}
{signing_secret: signing_secret, bot_token: bot_token}
{{- else -}}
{app_id: app_id, app_secret: app_secret, encrypt_key: encrypt_key, verification_token: verification_token}
{{- end }}
{{- end }}

{{/* The parts of the volume of secrets, as ``sources`` of a projected volume. */}}
{{/* Those of agents and bots are optional: where one is missing the pod starts, says so, and the others work. */}}
{{- define "turnkeeper.secretSources" -}}
{{- $own := include "turnkeeper.fullname" . -}}
{{- $sources := list -}}
{{- range $path, $secret := dict "secrets-key" .Values.secretsKey "admin-token" .Values.admin.token "store-password" .Values.store.password "sentinel-password" .Values.store.sentinelPassword -}}
  {{- if include "turnkeeper.given" $secret -}}
    {{- $key := ternary $secret.key $path (not (empty $secret.existingSecret)) -}}
    {{- $items := list (dict "key" $key "path" $path) -}}
    {{- $sources = append $sources (dict "secret" (dict "name" ($secret.existingSecret | default $own) "items" $items)) -}}
  {{- end -}}
{{- end -}}
{{- with .Values.store.ca -}}
  {{- $items := list (dict "key" .key "path" "store-ca.crt") -}}
  {{- if .existingSecret }}{{ $sources = append $sources (dict "secret" (dict "name" .existingSecret "items" $items)) }}{{ end -}}
  {{- if .existingConfigMap }}{{ $sources = append $sources (dict "configMap" (dict "name" .existingConfigMap "items" $items)) }}{{ end -}}
{{- end -}}
{{- range .Values.agents -}}
  {{- if .existingSecret -}}
    {{- $items := list (dict "key" (.existingSecretKey | default "api_key") "path" (printf "agents/%s/api_key" .id)) -}}
    {{- $sources = append $sources (dict "secret" (dict "name" .existingSecret "optional" true "items" $items)) -}}
  {{- end -}}
{{- end -}}
{{- range .Values.bots -}}
  {{- if .existingSecret -}}
    {{- $id := .id -}}
    {{- $items := list -}}
    {{- range $name, $key := include "turnkeeper.credentialKeys" . | fromYaml -}}
      {{- $items = append $items (dict "key" $key "path" (printf "bots/%s/%s" $id $name)) -}}
    {{- end -}}
    {{- $sources = append $sources (dict "secret" (dict "name" .existingSecret "optional" true "items" $items)) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $sources -}}
{{- end }}

{{/* What the chart's own Secret holds; empty where every secret is somebody else's. */}}
{{- define "turnkeeper.ownSecrets" -}}
{{- $own := dict -}}
{{- range $key, $secret := dict "secrets-key" .Values.secretsKey "admin-token" .Values.admin.token "store-password" .Values.store.password "sentinel-password" .Values.store.sentinelPassword -}}
  {{- with $secret.value }}{{ $_ := set $own $key . }}{{ end -}}
{{- end -}}
{{- range $name, $value := .Values.secrets.values -}}
  {{- $_ := set $own (printf "value-%s" $name) $value -}}
{{- end -}}
{{- with $own }}{{ toYaml . }}{{ end -}}
{{- end }}
