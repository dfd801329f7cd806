{{/*
What the schema cannot say: every problem of the values at once, each with what to write instead. Fails, or is empty.
*/}}
{{- define "turnkeeper.validate" -}}
{{- $problems := list -}}
{{- range list "names" "image" "store" "secrets" "bots" "keys" "network" "pods" "verbatim" "scaling" "monitoring" -}}
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
