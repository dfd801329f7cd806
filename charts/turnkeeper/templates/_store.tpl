{{/* What the store is, and whether there may be several replicas. */}}

{{- define "turnkeeper.dataPath" -}}/var/lib/turnkeeper/data{{- end }}

{{/* sqlite, memory or redis. What is in a Secret is Redis. */}}
{{- define "turnkeeper.storeKind" -}}
{{- if .Values.store.existingSecret -}}redis
{{- else if or (not .Values.store.url) (hasPrefix "sqlite:" .Values.store.url) -}}sqlite
{{- else if hasPrefix "memory:" .Values.store.url -}}memory
{{- else -}}redis
{{- end }}
{{- end }}

{{/* "true" where more than one pod may serve at a time. */}}
{{- define "turnkeeper.several" -}}
{{- if or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled .Values.keda.enabled -}}true{{- end }}
{{- end }}

{{/* "true" where something else decides on the number of pods. */}}
{{- define "turnkeeper.scaled" -}}
{{- if or .Values.autoscaling.enabled .Values.keda.enabled -}}true{{- end }}
{{- end }}

{{- define "turnkeeper.claimName" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-data" (include "turnkeeper.fullname" .)) }}
{{- end }}
