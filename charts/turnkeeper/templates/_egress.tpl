{{/* Which ports the gateway calls: those of the policy, and every one that an address of the configuration names. */}}
{{- define "turnkeeper.egressPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.egressPorts }}{{ $ports = append $ports (int .) }}{{ end -}}
{{- $addresses := list .Values.store.url .Values.proxy.http .Values.proxy.https .Values.telemetry.otlp_endpoint -}}
{{- range .Values.agents }}{{ $addresses = append $addresses .base_url }}{{ end -}}
{{- range .Values.bots }}{{ $addresses = append $addresses .api_base_url }}{{ end -}}
{{- range compact $addresses -}}
  {{- $places := regexFind "^[a-z+]+://[^/?#]+" . -}}
  {{- if and (hasPrefix "http://" .) (not (regexMatch ":[0-9]+$" $places)) }}{{ $ports = append $ports 80 }}{{ end -}}
  {{- range regexFindAll ":[0-9]+(,|$)" $places -1 -}}
    {{- $ports = append $ports (regexFind "[0-9]+" . | int) -}}
  {{- end -}}
{{- end -}}
{{- toYaml (uniq $ports) -}}
{{- end }}
