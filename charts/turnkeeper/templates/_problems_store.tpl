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
{{- if not (regexMatch `^[0-9]*[1-9][0-9]*(\.[0-9]+)?([EPTGMK]i?|m)?$` (toString .size)) }}
persistence.size must be a quantity such as 8Gi
{{- end }}
{{- end }}
{{- end }}
