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
{{- if not (regexMatch `^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$` .) }}
ingress.hosts has {{ . | quote }}; write a name such as bots.example.com, without https:// and path
{{- end }}
{{- end }}
{{- range $number, $one := .Values.ingress.tls }}
{{- range $one.hosts }}
{{- if not (regexMatch `^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$` .) }}
ingress.tls[{{ $number }}].hosts has {{ . | quote }}; write a name such as bots.example.com, without https:// and path
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.httpRoute.enabled }}
{{- if not .Values.httpRoute.parentRefs }}
httpRoute.parentRefs is empty; write which Gateway it belongs to, such as [{name: public, namespace: gateways}]
{{- end }}
{{- end }}
{{- range .Values.httpRoute.hostnames }}
{{- if not (regexMatch `^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$` .) }}
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

{{- define "turnkeeper.problems.monitoring" -}}
{{- with .Values.serviceMonitor }}
{{- $interval := include "turnkeeper.seconds" .interval }}
{{- $timeout := include "turnkeeper.seconds" .scrapeTimeout }}
{{- if and $interval $timeout (gt (int $timeout) (int $interval)) }}
serviceMonitor.scrapeTimeout is {{ .scrapeTimeout }}, longer than serviceMonitor.interval, {{ .interval }}; write a shorter one
{{- end }}
{{- end }}
{{- if and .Values.telemetry.canary (not (include "turnkeeper.seconds" .Values.telemetry.canary)) }}
telemetry.canary must be a duration such as 1m, or 0
{{- end }}
{{- range list "interval" "scrapeTimeout" }}
{{- if not (regexMatch "^([0-9]+(ms|s|m|h))+$" (get $.Values.serviceMonitor .)) }}
serviceMonitor.{{ . }} must be a duration such as 30s
{{- end }}
{{- end }}
{{- end }}
