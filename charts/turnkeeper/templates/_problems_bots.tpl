{{- define "turnkeeper.problems.bots" -}}
{{- $defs := get (.Files.Get "files/turnkeeper.schema.json" | fromJson) "$defs" }}
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
{{- $names := keys (ternary $defs.SlackCredentials $defs.LarkCredentials (eq $bot.channel "slack")).properties | sortAlpha }}
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
{{- if and (not (has $name (list "app_id" "client_id"))) $value (not (include "turnkeeper.reference" (toString $value))) }}
{{ $place }}.credentials.{{ $name }} would stand in a ConfigMap for everybody to read; put it into a Secret under the key {{ $name }}, and write existingSecret: NAME for the bot instead of credentials
{{- end }}
{{- end }}
{{- end }}
{{- end }}
