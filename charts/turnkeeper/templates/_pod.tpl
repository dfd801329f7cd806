{{/* The parts of the gateway's container that are long. */}}

{{- define "turnkeeper.probes" -}}
{{- range $name, $path := dict "startupProbe" "/readyz" "livenessProbe" "/livez" "readinessProbe" "/readyz" }}
{{- with get $.Values $name }}
{{ $name }}:
  {{- if not (or .httpGet .exec .tcpSocket .grpc) }}
  httpGet: {path: {{ $path }}, port: http}
  {{- end }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "turnkeeper.env" -}}
- name: TURNKEEPER_CONFIG
  value: /etc/turnkeeper/turnkeeper.yaml
{{- if .Values.store.existingSecret }}
- name: TURNKEEPER_STORE_URL
  valueFrom:
    secretKeyRef: {name: {{ .Values.store.existingSecret }}, key: {{ .Values.store.existingSecretKey }}}
{{- end }}
{{- with .Values.proxy }}
{{- if and (or .http .https) (not .existingSecret) }}
{{- range $name, $value := dict "HTTP_PROXY" .http "HTTPS_PROXY" .https "NO_PROXY" .noProxy }}
{{- if $value }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if or .Values.trustedCa.existingSecret .Values.trustedCa.existingConfigMap }}
# Beside the public authorities, which OpenSSL finds in a folder of the image.
- name: SSL_CERT_FILE
  value: /run/turnkeeper-ca/ca.crt
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "turnkeeper.volumeMounts" -}}
- {name: config, mountPath: /etc/turnkeeper, readOnly: true}
- {name: secrets, mountPath: {{ include "turnkeeper.secretsPath" . }}, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if eq (include "turnkeeper.storeKind" .) "sqlite" }}
- {name: data, mountPath: {{ include "turnkeeper.dataPath" . }}}
{{- end }}
{{- range $number, $name := .Values.secrets.files }}
- {name: secret-{{ $number }}, mountPath: /secrets/{{ $name }}, readOnly: true}
{{- end }}
{{- if .Values.secrets.values }}
- {name: secret-values, mountPath: /secrets/values, readOnly: true}
{{- end }}
{{- if or .Values.trustedCa.existingSecret .Values.trustedCa.existingConfigMap }}
- {name: trusted-ca, mountPath: /run/turnkeeper-ca, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "turnkeeper.volumes" -}}
- name: config
  configMap:
    name: {{ include "turnkeeper.fullname" . }}
- name: secrets
  projected:
    sources:
      {{- include "turnkeeper.secretSources" . | nindent 6 }}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if eq (include "turnkeeper.storeKind" .) "sqlite" }}
- name: data
  persistentVolumeClaim:
    claimName: {{ include "turnkeeper.claimName" . }}
{{- end }}
{{- range $number, $name := .Values.secrets.files }}
- name: secret-{{ $number }}
  secret:
    secretName: {{ $name }}
{{- end }}
{{- with .Values.secrets.values }}
- name: secret-values
  secret:
    secretName: {{ include "turnkeeper.fullname" $ }}
    items:
      {{- range $name, $_ := . }}
      - {key: value-{{ $name }}, path: {{ $name }}}
      {{- end }}
{{- end }}
{{- with .Values.trustedCa }}
{{- if .existingSecret }}
- name: trusted-ca
  secret:
    secretName: {{ .existingSecret }}
    items:
      - {key: {{ .key }}, path: ca.crt}
{{- else if .existingConfigMap }}
- name: trusted-ca
  configMap:
    name: {{ .existingConfigMap }}
    items:
      - {key: {{ .key }}, path: ca.crt}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* In place of the gateway: it answers probes, and sends webhooks away until they come again. */}}
{{- define "turnkeeper.maintenance" -}}
import http.server, signal, socket, sys

class Nobody(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/livez", "/readyz") else 503)
        self.end_headers()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(503)
        self.end_headers()

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
Server((sys.argv[1], int(sys.argv[2])), Nobody).serve_forever()
{{- end }}
