{{/*
Keys and choices that the gateway would refuse at its start: agents, bots, limits and other sections are compared with
the schema of turnkeeper.yaml. What has ${…} in it is known only there.
*/}}
{{- define "turnkeeper.problems.keys" -}}
{{- $schema := .Files.Get "files/turnkeeper.schema.json" | fromJson }}
{{- $defs := get $schema "$defs" }}
{{- range $number, $agent := .Values.agents }}
{{- $place := printf "agents[%d]" $number }}
{{- include "turnkeeper.problems.keysIn" (list $place $defs.Agent $agent $defs (list "existingSecret" "existingSecretKey")) }}
{{- if and (ne $agent.provider "echo") (not $agent.model) }}
{{ $place }}.model is missing; write the model's name as its server knows it, such as gpt-5-mini
{{- end }}
{{- end }}
{{- range $number, $bot := .Values.bots }}
{{- $kind := ternary $defs.SlackBot $defs.LarkBot (eq $bot.channel "slack") }}
{{- include "turnkeeper.problems.keysIn" (list (printf "bots[%d]" $number) $kind (omit $bot "channel") $defs (list "existingSecret" "existingSecretKeys")) }}
{{- end }}
{{- include "turnkeeper.problems.keysIn" (list "limits" $defs.Limits .Values.limits $defs list) }}
{{- include "turnkeeper.problems.keysIn" (list "admin.oidc" $defs.Oidc .Values.admin.oidc $defs list) }}
{{- $sections := omit $schema.properties "server" "admin" "store" "limits" "drain" "agents" "bots" "secrets_key" "telemetry" }}
{{- $config := omit .Values.config "server" "admin" "store" "limits" "drain" "agents" "bots" "secrets_key" "telemetry" }}
{{- include "turnkeeper.problems.keysIn" (list "config" (dict "properties" $sections) $config $defs list) }}
{{- end }}

{{/* (list place schema values definitions further-keys) */}}
{{- define "turnkeeper.problems.keysIn" -}}
{{- $place := index . 0 }}
{{- $schema := index . 1 }}
{{- $defs := index . 3 }}
{{- $known := concat (keys $schema.properties) (index . 4) | sortAlpha }}
{{- range $name, $value := index . 2 }}
{{- $here := printf "%s.%s" $place $name }}
{{- $of := get $schema.properties $name | default dict }}
{{- if not (has $name $known) }}
{{ $here }} does not exist; write one of {{ join ", " $known }}
{{- else if not (or (kindIs "invalid" $value) (contains "${" (toString $value))) }}
{{- if and $of.enum (not (has $value $of.enum)) }}
{{ $here }} must be one of {{ join ", " $of.enum }}
{{- end }}
{{- range prepend ($of.anyOf | default list) $of }}
{{- if and (hasKey . "$ref") (kindIs "map" $value) }}
{{- include "turnkeeper.problems.keysIn" (list $here (get $defs (get . "$ref" | trimPrefix "#/$defs/")) $value $defs list) }}
{{- else if and .examples (has "330s" (.examples | default list)) (not (include "turnkeeper.seconds" $value)) }}
{{ $here }} must be a duration such as 330s or 5m
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
