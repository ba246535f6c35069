{{- define "porwatch.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "porwatch.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "porwatch.labels" -}}
{{ include "porwatch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "porwatch.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end -}}
{{- end }}

{{- define "porwatch.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "porwatch.fullname" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end -}}
{{- end }}

{{/* The configuration; with an AlertmanagerConfig every alert that porwatch sends carries the namespace. */}}
{{- define "porwatch.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if .Values.alertmanagerConfig.enabled -}}
{{- range $config.alertmanagers -}}
{{- $_ := set . "labels" (merge (default dict .labels) (dict "namespace" $.Release.Namespace)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{/* A route of Alertmanager, with its routes, as the CRD writes it. */}}
{{- define "porwatch.route" -}}
{{- if .receiver }}
receiver: {{ .receiver }}
{{- end }}
{{- if .matchers }}
matchers: {{- include "porwatch.matchers" .matchers | nindent 2 }}
{{- end }}
{{- if .group_by }}
groupBy: {{ toJson .group_by }}
{{- end }}
{{- if .group_wait }}
groupWait: {{ .group_wait }}
{{- end }}
{{- if .group_interval }}
groupInterval: {{ .group_interval }}
{{- end }}
{{- if .repeat_interval }}
repeatInterval: {{ .repeat_interval }}
{{- end }}
{{- if .continue }}
continue: true
{{- end }}
{{- if .routes }}
routes:
{{- range .routes }}
  - {{ include "porwatch.route" . | nindent 4 | trim }}
{{- end }}
{{- end }}
{{- end }}

{{/* Matchers written as name, operator and value in quotes. */}}
{{- define "porwatch.matchers" -}}
{{- $form := "^([a-zA-Z_][a-zA-Z0-9_]*)(=~|!~|!=|=)\"(.*)\"$" }}
{{- range . }}
{{- if not (regexMatch $form .) }}{{ fail (printf "a matcher that the chart cannot read: %s" .) }}{{ end }}
- name: {{ regexReplaceAll $form . "${1}" }}
  matchType: {{ regexReplaceAll $form . "${2}" | quote }}
  value: {{ regexReplaceAll $form . "${3}" | quote }}
{{- end }}
{{- end }}
