{{- define "operator.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "operator.uninstall" -}}
{{- printf "%s-uninstall" (include "operator.name" . | trunc 53 | trimSuffix "-") -}}
{{- end -}}

{{/* Secrets that the operator's pods use, with commas between. */}}
{{- define "operator.secrets" -}}
{{- $names := list -}}
{{- with .Values.kafka.secret }}{{ $names = append $names . }}{{ end -}}
{{- range .Values.imagePullSecrets }}{{ $names = append $names .name }}{{ end -}}
{{- join "," $names -}}
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

{{/* Environment of the operator, and of the Job that uninstalls it. */}}
{{- define "operator.env" -}}
- {name: WATCH_NAMESPACES, value: {{ include "operator.namespaces" . | quote }}}
- {name: KAFKA_BOOTSTRAP_SERVERS, value: {{ .Values.kafka.bootstrapServers | quote }}}
- {name: EVENTS_TOPIC, value: {{ .Values.kafka.topic | quote }}}
- {name: EVENTS_CONTENT_MODE, value: {{ .Values.kafka.contentMode | quote }}}
- {name: ALLOWED_TOPICS, value: {{ join "," .Values.kafka.allowedTopics | quote }}}
- {name: EVENTS_GIVE_UP_SECONDS, value: {{ .Values.kafka.giveUpAfterSeconds | int64 | quote }}}
{{- if .Values.kafka.secret }}
- {name: KAFKA_SECRET_DIR, value: /etc/kafka-secret}
{{- end }}
- {name: TASK_IMAGE, value: {{ .Values.tasks.image | quote }}}
- {name: TASK_SERVICE_ACCOUNT, value: {{ .Values.tasks.serviceAccount.name | quote }}}
- {name: TASK_IMAGE_PULL_POLICY, value: {{ .Values.tasks.imagePullPolicy | quote }}}
- {name: TASK_IMAGE_PULL_SECRETS, value: {{ join "," .Values.tasks.imagePullSecrets | quote }}}
- {name: TEMPLATE_PATCH, value: {{ .Values.tasks.templatePatch | quote }}}
- {name: ALLOWED_SERVICE_ACCOUNTS, value: {{ join "," .Values.tasks.allowedServiceAccounts | quote }}}
- {name: ALLOWED_IMAGES, value: {{ join "," .Values.tasks.allowedImages | quote }}}
- {name: OWN_SERVICE_ACCOUNTS, value: {{ printf "%s,%s" (include "operator.name" .) (include "operator.uninstall" .) | quote }}}
- {name: OWN_SECRETS, value: {{ include "operator.secrets" . | quote }}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- {name: IMAGE_CATALOGUE, value: {{ .Values.tasks.catalogue | quote }}}
- {name: PENDING_DEADLINE_SECONDS, value: {{ .Values.tasks.pendingDeadlineSeconds | int64 | quote }}}
- {name: TASK_POD_SECURITY, value: {{ .Values.tasks.podSecurity | quote }}}
- {name: ARGO_VERSION, value: {{ .Values.argo.version | quote }}}
- {name: ARGO_INSTANCE_ID, value: {{ .Values.argo.instanceId | quote }}}
- {name: DELETIONS_PER_SECOND, value: {{ .Values.deletionsPerSecond | quote }}}
- {name: RESYNC_SECONDS, value: {{ .Values.resyncSeconds | quote }}}
- {name: WORKERS, value: {{ .Values.workers | quote }}}
- {name: LOG_LEVEL, value: {{ .Values.logLevel | quote }}}
- {name: LOG_FORMAT, value: {{ .Values.logFormat | quote }}}
{{- if .Values.leaderElection.enabled }}
- {name: LEASE_NAME, value: {{ include "operator.name" . | quote }}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
{{- end }}
{{- end -}}

{{/* How the pods of both run. */}}
{{- define "operator.pod" -}}
automountServiceAccountToken: true
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "operator.container" -}}
{{- with .Values.image }}
image: "{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}"
{{- end }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* TCP ports, as a NetworkPolicy has them. */}}
{{- define "operator.ports" -}}
{{- range $index, $port := . }}
{{- if $index }}
{{ end -}}
- {protocol: TCP, port: {{ int $port }}}
{{- end }}
{{- end -}}

{{/* TCP ports of the Kafka brokers, with commas between. */}}
{{- define "operator.kafkaPorts" -}}
{{- $ports := list }}
{{- range .Values.networkPolicy.kafkaPorts }}
{{- $ports = append $ports (int . | toString) }}
{{- end }}
{{- if not $ports }}
{{- range compact (splitList "," .Values.kafka.bootstrapServers) }}
{{- $ports = append $ports (trim . | regexFind ":[0-9]+$" | trimPrefix ":" | default "9092") }}
{{- end }}
{{- end }}
{{- uniq $ports | join "," -}}
{{- end -}}
