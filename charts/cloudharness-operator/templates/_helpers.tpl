{{- define "operator.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The namespaces to serve, with commas between, or "*". */}}
{{- define "operator.namespaces" -}}
{{- if .Values.watch.allNamespaces -}}*
{{- else -}}
{{- join "," (.Values.watch.namespaces | default (list .Release.Namespace)) -}}
{{- end -}}
{{- end -}}

{{/* What the operator does to the cluster, and nothing that it does not. */}}
{{- define "operator.rules" -}}
- apiGroups: [cloudharness.io]
  resources: [cloudharnessoperations]
  verbs: [get, list, watch, delete]
- apiGroups: [cloudharness.io]
  resources: [cloudharnessoperations/status]
  verbs: [patch]
- apiGroups: [argoproj.io]
  resources: [workflows]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# Whether a shared volume exists, on which node the pods are that use it, and which pods go on
# after their run was ended: those are deleted.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, deletecollection]
# The end of a failed task's log.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- with .Values.tasks.catalogue }}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ . | quote }}]
  verbs: [get]
{{- end }}
{{- end -}}
