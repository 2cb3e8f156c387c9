{{- define "wirespan.name" -}}
{{ if contains "wirespan" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-wirespan{{ end }}
{{- end }}

{{- define "wirespan.selector" -}}
app.kubernetes.io/name: wirespan
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wirespan.labels" -}}
{{ include "wirespan.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "wirespan.image" -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest -}}
@{{ .Values.image.digest }}
{{- else -}}
:{{ .Values.image.tag | default (printf "%s%s" .Chart.AppVersion (ternary "" "-root" .Values.runAsNonRoot)) }}
{{- end }}
{{- end }}

{{- /* No folder of a pod is the agent's alone, so there is no control socket. */}}
{{- define "wirespan.config" -}}
{{- $fixed := dict "version" 1 "control" (dict "socket" "") }}
{{- $kubelet := dict "identity" (dict "kubelet" (dict "url" .Values.kubelet.url)) }}
{{- merge $fixed .Values.config (ternary $kubelet dict .Values.kubelet.enabled) | toYaml }}
{{- end }}
