"""The fields of a Workflow's spec in each release of Argo: one type a line.

Written by `python -m tests.engine_types` from the API descriptions of Argo's releases; `[]` is a
list of, `{}` a map to, `>=` and `<` name releases, and a type with no field takes anything.
"""

from __future__ import annotations

from typing import Final

ENGINES: Final = ("3.6", "3.7", "4.0", "4.1")
"""The releases, oldest first."""

TYPES: Final = """\
Amount: number
ArchiveStrategy: none=NoneStrategy tar=TarStrategy zip=ZipStrategy
Arguments: artifacts=[]Artifact parameters=[]Parameter
Artifact: archive=ArchiveStrategy archiveLogs=boolean artifactGC=ArtifactGC artifactory=ArtifactoryArtifact azure=AzureArtifact deleted=boolean from=string fromExpression=string gcs=GCSArtifact git=GitArtifact globalName=string hdfs=HDFSArtifact http=HTTPArtifact mode=integer name=string optional=boolean oss=OSSArtifact path=string plugin=PluginArtifact>=4.0 raw=RawArtifact recurseMode=boolean s3=S3Artifact subPath=string
ArtifactGC: podMetadata=Metadata serviceAccountName=string strategy=string
ArtifactLocation: archiveLogs=boolean artifactory=ArtifactoryArtifact azure=AzureArtifact gcs=GCSArtifact git=GitArtifact hdfs=HDFSArtifact http=HTTPArtifact oss=OSSArtifact plugin=PluginArtifact>=4.0 raw=RawArtifact s3=S3Artifact
ArtifactPaths: archive=ArchiveStrategy archiveLogs=boolean artifactGC=ArtifactGC artifactory=ArtifactoryArtifact azure=AzureArtifact deleted=boolean from=string fromExpression=string gcs=GCSArtifact git=GitArtifact globalName=string hdfs=HDFSArtifact http=HTTPArtifact mode=integer name=string optional=boolean oss=OSSArtifact path=string plugin=PluginArtifact>=4.0 raw=RawArtifact recurseMode=boolean s3=S3Artifact subPath=string
ArtifactRepositoryRef: configMap=string key=string
ArtifactoryArtifact: passwordSecret=v1.SecretKeySelector url=string usernameSecret=v1.SecretKeySelector
AzureArtifact: accountKeySecret=v1.SecretKeySelector blob=string container=string endpoint=string useSDKCreds=boolean
Backoff: cap=string>=3.7 duration=string factor=intstr.IntOrString maxDuration=string
BasicAuth: passwordSecret=v1.SecretKeySelector usernameSecret=v1.SecretKeySelector
Cache: configMap=v1.ConfigMapKeySelector<4.0 configMap=v1.LocalObjectReference>=4.0
ClientCertAuth: clientCertSecret=v1.SecretKeySelector clientKeySecret=v1.SecretKeySelector
ContainerNode: args=[]string command=[]string dependencies=[]string env=[]v1.EnvVar envFrom=[]v1.EnvFromSource image=string imagePullPolicy=string lifecycle=v1.Lifecycle livenessProbe=v1.Probe name=string ports=[]v1.ContainerPort readinessProbe=v1.Probe resizePolicy=[]v1.ContainerResizePolicy resources=v1.ResourceRequirements restartPolicy=string restartPolicyRules=[]v1.ContainerRestartRule>=4.1 securityContext=v1.SecurityContext startupProbe=v1.Probe stdin=boolean stdinOnce=boolean terminationMessagePath=string terminationMessagePolicy=string tty=boolean volumeDevices=[]v1.VolumeDevice volumeMounts=[]v1.VolumeMount workingDir=string
ContainerSetRetryStrategy: duration=string retries=intstr.IntOrString
ContainerSetTemplate: containers=[]ContainerNode retryStrategy=ContainerSetRetryStrategy volumeMounts=[]v1.VolumeMount
ContinueOn: error=boolean failed=boolean
Counter: value=string
CreateS3BucketOptions: objectLocking=boolean
DAGTask: arguments=Arguments continueOn=ContinueOn dependencies=[]string depends=string hooks={}LifecycleHook inline=Template name=string onExit=string template=string templateRef=TemplateRef when=string withItems=[]Item withParam=string withSequence=Sequence
DAGTemplate: failFast=boolean target=string tasks=[]DAGTask
Data: source=DataSource transformation=[]TransformationStep
DataSource: artifactPaths=ArtifactPaths
ExecutorConfig: serviceAccountName=string
ExecutorPlugin: metadata=v1.ObjectMeta>=4.1 spec=ExecutorPluginSpec>=4.1
ExecutorPluginSidecar: automountServiceAccountToken=boolean>=4.1 container=v1.Container>=4.1
ExecutorPluginSpec: sidecar=ExecutorPluginSidecar>=4.1
GCSArtifact: bucket=string key=string serviceAccountKeySecret=v1.SecretKeySelector
Gauge: operation=string realtime=boolean value=string
GitArtifact: branch=string depth=integer disableSubmodules=boolean fetch=[]string insecureIgnoreHostKey=boolean insecureSkipTLS=boolean passwordSecret=v1.SecretKeySelector repo=string revision=string singleBranch=boolean sshPrivateKeySecret=v1.SecretKeySelector usernameSecret=v1.SecretKeySelector
HDFSArtifact: addresses=[]string dataTransferProtection=string force=boolean hdfsUser=string krbCCacheSecret=v1.SecretKeySelector krbConfigConfigMap=v1.ConfigMapKeySelector krbKeytabSecret=v1.SecretKeySelector krbRealm=string krbServicePrincipalName=string krbUsername=string path=string
HTTP: body=string bodyFrom=HTTPBodySource headers=[]HTTPHeader insecureSkipVerify=boolean method=string successCondition=string timeoutSeconds=integer url=string
HTTPArtifact: auth=HTTPAuth headers=[]Header saveStreamViaFile=boolean>=4.1 url=string
HTTPAuth: basicAuth=BasicAuth clientCert=ClientCertAuth oauth2=OAuth2Auth
HTTPBodySource: bytes=string
HTTPHeader: name=string value=string valueFrom=HTTPHeaderSource
HTTPHeaderSource: secretKeyRef=v1.SecretKeySelector
Header: name=string value=string
Histogram: buckets=[]Amount value=string
Inputs: artifacts=[]Artifact parameters=[]Parameter
Item: any
LabelValueFrom: expression=string
LifecycleHook: arguments=Arguments expression=string template=string templateRef=TemplateRef
ManifestFrom: artifact=Artifact
Memoize: cache=Cache key=string maxAge=string
Metadata: annotations={}string labels={}string
MetricLabel: key=string value=string
Metrics: prometheus=[]Prometheus
Mutex: database=boolean>=3.7 name=string namespace=string
NoneStrategy: object
OAuth2Auth: clientIDSecret=v1.SecretKeySelector clientSecretSecret=v1.SecretKeySelector endpointParams=[]OAuth2EndpointParam scopes=[]string tokenURLSecret=v1.SecretKeySelector
OAuth2EndpointParam: key=string value=string
OSSArtifact: accessKeySecret=v1.SecretKeySelector bucket=string createBucketIfNotPresent=boolean endpoint=string key=string lifecycleRule=OSSLifecycleRule secretKeySecret=v1.SecretKeySelector securityToken=string useSDKCreds=boolean
OSSLifecycleRule: markDeletionAfterDays=integer markInfrequentAccessAfterDays=integer
Outputs: artifacts=[]Artifact exitCode=string parameters=[]Parameter result=string
ParallelSteps: []WorkflowStep
Parameter: default=string description=string enum=[]string globalName=string name=string value=string valueFrom=ValueFrom
Plugin: object
PluginArtifact: configuration=string>=4.0 connectionTimeoutSeconds=integer>=4.0 key=string>=4.0 name=string>=4.0
PodGC: deleteDelayDuration=string labelSelector=v1.LabelSelector strategy=string
Prometheus: counter=Counter gauge=Gauge help=string histogram=Histogram labels=[]MetricLabel name=string when=string
RawArtifact: data=string
ResourceTemplate: action=string failureCondition=string flags=[]string manifest=string manifestFrom=ManifestFrom mergeStrategy=string setOwnerReference=boolean successCondition=string
RetryAffinity: nodeAntiAffinity=RetryNodeAntiAffinity
RetryNodeAntiAffinity: object
RetryStrategy: affinity=RetryAffinity backoff=Backoff expression=string limit=intstr.IntOrString retryPolicy=string
S3Artifact: accessKeySecret=v1.SecretKeySelector addressingStyle=string>=4.1 bucket=string caSecret=v1.SecretKeySelector createBucketIfNotPresent=CreateS3BucketOptions encryptionOptions=S3EncryptionOptions endpoint=string insecure=boolean key=string region=string roleARN=string secretKeySecret=v1.SecretKeySelector sessionTokenSecret=v1.SecretKeySelector useSDKCreds=boolean
S3EncryptionOptions: enableEncryption=boolean kmsEncryptionContext=string kmsKeyId=string serverSideCustomerKeySecret=v1.SecretKeySelector
ScriptTemplate: args=[]string command=[]string env=[]v1.EnvVar envFrom=[]v1.EnvFromSource image=string imagePullPolicy=string lifecycle=v1.Lifecycle livenessProbe=v1.Probe name=string ports=[]v1.ContainerPort readinessProbe=v1.Probe resizePolicy=[]v1.ContainerResizePolicy resources=v1.ResourceRequirements restartPolicy=string restartPolicyRules=[]v1.ContainerRestartRule>=4.1 securityContext=v1.SecurityContext source=string startupProbe=v1.Probe stdin=boolean stdinOnce=boolean terminationMessagePath=string terminationMessagePolicy=string tty=boolean volumeDevices=[]v1.VolumeDevice volumeMounts=[]v1.VolumeMount workingDir=string
SemaphoreRef: configMapKeyRef=v1.ConfigMapKeySelector database=SyncDatabaseRef>=3.7 namespace=string
Sequence: count=intstr.IntOrString end=intstr.IntOrString format=string start=intstr.IntOrString
SuppliedValueFrom: object
SuspendTemplate: duration=string
SyncDatabaseRef: key=string>=3.7
Synchronization: mutex=Mutex<4.0 mutexes=[]Mutex semaphore=SemaphoreRef<4.0 semaphores=[]SemaphoreRef
TTLStrategy: secondsAfterCompletion=integer secondsAfterFailure=integer secondsAfterSuccess=integer
TarStrategy: compressionLevel=integer
Template: activeDeadlineSeconds=intstr.IntOrString affinity=v1.Affinity annotations={}string>=3.7 archiveLocation=ArtifactLocation automountServiceAccountToken=boolean container=v1.Container containerSet=ContainerSetTemplate daemon=boolean dag=DAGTemplate data=Data executor=ExecutorConfig failFast=boolean hostAliases=[]v1.HostAlias http=HTTP initContainers=[]UserContainer inputs=Inputs memoize=Memoize metadata=Metadata metrics=Metrics name=string nodeSelector={}string outputs=Outputs parallelism=integer pendingTimeout=string>=4.1 plugin=Plugin podResources=v1.ResourceRequirements>=4.1 podSpecPatch=string priority=integer<3.7 priorityClassName=string resource=ResourceTemplate resourceClaims=[]v1.PodResourceClaim>=4.1 retryStrategy=RetryStrategy schedulerName=string script=ScriptTemplate securityContext=v1.PodSecurityContext serviceAccountName=string sidecars=[]UserContainer steps=[]ParallelSteps suspend=SuspendTemplate synchronization=Synchronization timeout=string tolerations=[]v1.Toleration volumes=[]v1.Volume
TemplateRef: clusterScope=boolean name=string template=string
TransformationStep: expression=string
UserContainer: args=[]string command=[]string env=[]v1.EnvVar envFrom=[]v1.EnvFromSource image=string imagePullPolicy=string lifecycle=v1.Lifecycle livenessProbe=v1.Probe mirrorVolumeMounts=boolean name=string ports=[]v1.ContainerPort readinessProbe=v1.Probe resizePolicy=[]v1.ContainerResizePolicy resources=v1.ResourceRequirements restartPolicy=string restartPolicyRules=[]v1.ContainerRestartRule>=4.1 securityContext=v1.SecurityContext startupProbe=v1.Probe stdin=boolean stdinOnce=boolean terminationMessagePath=string terminationMessagePolicy=string tty=boolean volumeDevices=[]v1.VolumeDevice volumeMounts=[]v1.VolumeMount workingDir=string
ValueFrom: configMapKeyRef=v1.ConfigMapKeySelector default=string event=string expression=string jqFilter=string jsonPath=string parameter=string path=string supplied=SuppliedValueFrom
VolumeClaimGC: strategy=string
WorkflowLevelArtifactGC: forceFinalizerRemoval=boolean podMetadata=Metadata podSpecPatch=string serviceAccountName=string strategy=string
WorkflowMetadata: annotations={}string labels={}string labelsFrom={}LabelValueFrom
WorkflowSpec: activeDeadlineSeconds=integer affinity=v1.Affinity archiveLogs=boolean arguments=Arguments artifactGC=WorkflowLevelArtifactGC artifactRepositoryRef=ArtifactRepositoryRef automountServiceAccountToken=boolean dnsConfig=v1.PodDNSConfig dnsPolicy=string entrypoint=string executor=ExecutorConfig executorPlugins=[]ExecutorPlugin>=4.1 hooks={}LifecycleHook hostAliases=[]v1.HostAlias hostNetwork=boolean imagePullSecrets=[]v1.LocalObjectReference metrics=Metrics nodeSelector={}string onExit=string parallelism=integer podDisruptionBudget=v1.PodDisruptionBudgetSpec podGC=PodGC podMetadata=Metadata podPriority=integer<3.7 podPriorityClassName=string podResources=v1.ResourceRequirements>=4.1 podSpecPatch=string priority=integer resourceClaims=[]v1.PodResourceClaim>=4.1 retryStrategy=RetryStrategy schedulerName=string securityContext=v1.PodSecurityContext serviceAccountName=string shutdown=string suspend=boolean synchronization=Synchronization templateDefaults=Template templates=[]Template tolerations=[]v1.Toleration ttlStrategy=TTLStrategy volumeClaimGC=VolumeClaimGC volumeClaimTemplates=[]v1.PersistentVolumeClaim volumes=[]v1.Volume workflowMetadata=WorkflowMetadata workflowTemplateRef=WorkflowTemplateRef
WorkflowStep: arguments=Arguments continueOn=ContinueOn hooks={}LifecycleHook inline=Template name=string onExit=string template=string templateRef=TemplateRef when=string withItems=[]Item withParam=string withSequence=Sequence
WorkflowTemplateRef: clusterScope=boolean name=string
ZipStrategy: object
intstr.IntOrString: string
resource.Quantity: string
v1.AWSElasticBlockStoreVolumeSource: fsType=string partition=integer readOnly=boolean volumeID=string
v1.Affinity: nodeAffinity=v1.NodeAffinity podAffinity=v1.PodAffinity podAntiAffinity=v1.PodAntiAffinity
v1.AppArmorProfile: localhostProfile=string type=string
v1.AzureDiskVolumeSource: cachingMode=string diskName=string diskURI=string fsType=string kind=string readOnly=boolean
v1.AzureFileVolumeSource: readOnly=boolean secretName=string shareName=string
v1.CSIVolumeSource: driver=string fsType=string nodePublishSecretRef=v1.LocalObjectReference readOnly=boolean volumeAttributes={}string
v1.Capabilities: add=[]string drop=[]string
v1.CephFSVolumeSource: monitors=[]string path=string readOnly=boolean secretFile=string secretRef=v1.LocalObjectReference user=string
v1.CinderVolumeSource: fsType=string readOnly=boolean secretRef=v1.LocalObjectReference volumeID=string
v1.ClusterTrustBundleProjection: labelSelector=v1.LabelSelector name=string optional=boolean path=string signerName=string
v1.ConfigMapEnvSource: name=string optional=boolean
v1.ConfigMapKeySelector: key=string name=string optional=boolean
v1.ConfigMapProjection: items=[]v1.KeyToPath name=string optional=boolean
v1.ConfigMapVolumeSource: defaultMode=integer items=[]v1.KeyToPath name=string optional=boolean
v1.Container: args=[]string command=[]string env=[]v1.EnvVar envFrom=[]v1.EnvFromSource image=string imagePullPolicy=string lifecycle=v1.Lifecycle livenessProbe=v1.Probe name=string ports=[]v1.ContainerPort readinessProbe=v1.Probe resizePolicy=[]v1.ContainerResizePolicy resources=v1.ResourceRequirements restartPolicy=string restartPolicyRules=[]v1.ContainerRestartRule>=4.1 securityContext=v1.SecurityContext startupProbe=v1.Probe stdin=boolean stdinOnce=boolean terminationMessagePath=string terminationMessagePolicy=string tty=boolean volumeDevices=[]v1.VolumeDevice volumeMounts=[]v1.VolumeMount workingDir=string
v1.ContainerPort: containerPort=integer hostIP=string hostPort=integer name=string protocol=string
v1.ContainerResizePolicy: resourceName=string restartPolicy=string
v1.ContainerRestartRule: action=string>=4.1 exitCodes=v1.ContainerRestartRuleOnExitCodes>=4.1
v1.ContainerRestartRuleOnExitCodes: operator=string>=4.1 values=[]integer>=4.1
v1.DownwardAPIProjection: items=[]v1.DownwardAPIVolumeFile
v1.DownwardAPIVolumeFile: fieldRef=v1.ObjectFieldSelector mode=integer path=string resourceFieldRef=v1.ResourceFieldSelector
v1.DownwardAPIVolumeSource: defaultMode=integer items=[]v1.DownwardAPIVolumeFile
v1.EmptyDirVolumeSource: medium=string sizeLimit=resource.Quantity
v1.EnvFromSource: configMapRef=v1.ConfigMapEnvSource prefix=string secretRef=v1.SecretEnvSource
v1.EnvVar: name=string value=string valueFrom=v1.EnvVarSource
v1.EnvVarSource: configMapKeyRef=v1.ConfigMapKeySelector fieldRef=v1.ObjectFieldSelector fileKeyRef=v1.FileKeySelector>=4.1 resourceFieldRef=v1.ResourceFieldSelector secretKeyRef=v1.SecretKeySelector
v1.EphemeralVolumeSource: volumeClaimTemplate=v1.PersistentVolumeClaimTemplate
v1.ExecAction: command=[]string
v1.FCVolumeSource: fsType=string lun=integer readOnly=boolean targetWWNs=[]string wwids=[]string
v1.FieldsV1: object
v1.FileKeySelector: key=string>=4.1 optional=boolean>=4.1 path=string>=4.1 volumeName=string>=4.1
v1.FlexVolumeSource: driver=string fsType=string options={}string readOnly=boolean secretRef=v1.LocalObjectReference
v1.FlockerVolumeSource: datasetName=string datasetUUID=string
v1.GCEPersistentDiskVolumeSource: fsType=string partition=integer pdName=string readOnly=boolean
v1.GRPCAction: port=integer service=string
v1.GitRepoVolumeSource: directory=string repository=string revision=string
v1.GlusterfsVolumeSource: endpoints=string path=string readOnly=boolean
v1.HTTPGetAction: host=string httpHeaders=[]v1.HTTPHeader path=string port=intstr.IntOrString scheme=string
v1.HTTPHeader: name=string value=string
v1.HostAlias: hostnames=[]string ip=string
v1.HostPathVolumeSource: path=string type=string
v1.ISCSIVolumeSource: chapAuthDiscovery=boolean chapAuthSession=boolean fsType=string initiatorName=string iqn=string iscsiInterface=string lun=integer portals=[]string readOnly=boolean secretRef=v1.LocalObjectReference targetPortal=string
v1.ImageVolumeSource: pullPolicy=string>=3.7 reference=string>=3.7
v1.KeyToPath: key=string mode=integer path=string
v1.LabelSelector: matchExpressions=[]v1.LabelSelectorRequirement matchLabels={}string
v1.LabelSelectorRequirement: key=string operator=string values=[]string
v1.Lifecycle: postStart=v1.LifecycleHandler preStop=v1.LifecycleHandler stopSignal=string>=3.7
v1.LifecycleHandler: exec=v1.ExecAction httpGet=v1.HTTPGetAction sleep=v1.SleepAction tcpSocket=v1.TCPSocketAction
v1.LocalObjectReference: name=string
v1.ManagedFieldsEntry: apiVersion=string fieldsType=string fieldsV1=v1.FieldsV1 manager=string operation=string subresource=string time=v1.Time
v1.ModifyVolumeStatus: status=string targetVolumeAttributesClassName=string
v1.NFSVolumeSource: path=string readOnly=boolean server=string
v1.NodeAffinity: preferredDuringSchedulingIgnoredDuringExecution=[]v1.PreferredSchedulingTerm requiredDuringSchedulingIgnoredDuringExecution=v1.NodeSelector
v1.NodeSelector: nodeSelectorTerms=[]v1.NodeSelectorTerm
v1.NodeSelectorRequirement: key=string operator=string values=[]string
v1.NodeSelectorTerm: matchExpressions=[]v1.NodeSelectorRequirement matchFields=[]v1.NodeSelectorRequirement
v1.ObjectFieldSelector: apiVersion=string fieldPath=string
v1.ObjectMeta: annotations={}string creationTimestamp=v1.Time deletionGracePeriodSeconds=integer deletionTimestamp=v1.Time finalizers=[]string generateName=string generation=integer labels={}string managedFields=[]v1.ManagedFieldsEntry name=string namespace=string ownerReferences=[]v1.OwnerReference resourceVersion=string selfLink=string uid=string
v1.OwnerReference: apiVersion=string blockOwnerDeletion=boolean controller=boolean kind=string name=string uid=string
v1.PersistentVolumeClaim: apiVersion=string kind=string metadata=v1.ObjectMeta spec=v1.PersistentVolumeClaimSpec status=v1.PersistentVolumeClaimStatus
v1.PersistentVolumeClaimCondition: lastProbeTime=v1.Time lastTransitionTime=v1.Time message=string reason=string status=string type=string
v1.PersistentVolumeClaimSpec: accessModes=[]string dataSource=v1.TypedLocalObjectReference dataSourceRef=v1.TypedObjectReference resources=v1.VolumeResourceRequirements selector=v1.LabelSelector storageClassName=string volumeAttributesClassName=string volumeMode=string volumeName=string
v1.PersistentVolumeClaimStatus: accessModes=[]string allocatedResourceStatuses={}string allocatedResources={}resource.Quantity capacity={}resource.Quantity conditions=[]v1.PersistentVolumeClaimCondition currentVolumeAttributesClassName=string modifyVolumeStatus=v1.ModifyVolumeStatus phase=string
v1.PersistentVolumeClaimTemplate: metadata=v1.ObjectMeta spec=v1.PersistentVolumeClaimSpec
v1.PersistentVolumeClaimVolumeSource: claimName=string readOnly=boolean
v1.PhotonPersistentDiskVolumeSource: fsType=string pdID=string
v1.PodAffinity: preferredDuringSchedulingIgnoredDuringExecution=[]v1.WeightedPodAffinityTerm requiredDuringSchedulingIgnoredDuringExecution=[]v1.PodAffinityTerm
v1.PodAffinityTerm: labelSelector=v1.LabelSelector matchLabelKeys=[]string mismatchLabelKeys=[]string namespaceSelector=v1.LabelSelector namespaces=[]string topologyKey=string
v1.PodAntiAffinity: preferredDuringSchedulingIgnoredDuringExecution=[]v1.WeightedPodAffinityTerm requiredDuringSchedulingIgnoredDuringExecution=[]v1.PodAffinityTerm
v1.PodCertificateProjection: certificateChainPath=string>=4.1 credentialBundlePath=string>=4.1 keyPath=string>=4.1 keyType=string>=4.1 maxExpirationSeconds=integer>=4.1 signerName=string>=4.1 userAnnotations={}string>=4.1
v1.PodDNSConfig: nameservers=[]string options=[]v1.PodDNSConfigOption searches=[]string
v1.PodDNSConfigOption: name=string value=string
v1.PodDisruptionBudgetSpec: maxUnavailable=intstr.IntOrString minAvailable=intstr.IntOrString selector=v1.LabelSelector unhealthyPodEvictionPolicy=string
v1.PodResourceClaim: name=string>=4.1 resourceClaimName=string>=4.1 resourceClaimTemplateName=string>=4.1
v1.PodSecurityContext: appArmorProfile=v1.AppArmorProfile fsGroup=integer fsGroupChangePolicy=string runAsGroup=integer runAsNonRoot=boolean runAsUser=integer seLinuxChangePolicy=string>=3.7 seLinuxOptions=v1.SELinuxOptions seccompProfile=v1.SeccompProfile supplementalGroups=[]integer supplementalGroupsPolicy=string>=3.7 sysctls=[]v1.Sysctl windowsOptions=v1.WindowsSecurityContextOptions
v1.PortworxVolumeSource: fsType=string readOnly=boolean volumeID=string
v1.PreferredSchedulingTerm: preference=v1.NodeSelectorTerm weight=integer
v1.Probe: exec=v1.ExecAction failureThreshold=integer grpc=v1.GRPCAction httpGet=v1.HTTPGetAction initialDelaySeconds=integer periodSeconds=integer successThreshold=integer tcpSocket=v1.TCPSocketAction terminationGracePeriodSeconds=integer timeoutSeconds=integer
v1.ProjectedVolumeSource: defaultMode=integer sources=[]v1.VolumeProjection
v1.QuobyteVolumeSource: group=string readOnly=boolean registry=string tenant=string user=string volume=string
v1.RBDVolumeSource: fsType=string image=string keyring=string monitors=[]string pool=string readOnly=boolean secretRef=v1.LocalObjectReference user=string
v1.ResourceClaim: name=string request=string>=3.7
v1.ResourceFieldSelector: containerName=string divisor=resource.Quantity resource=string
v1.ResourceRequirements: claims=[]v1.ResourceClaim limits={}resource.Quantity requests={}resource.Quantity
v1.SELinuxOptions: level=string role=string type=string user=string
v1.ScaleIOVolumeSource: fsType=string gateway=string protectionDomain=string readOnly=boolean secretRef=v1.LocalObjectReference sslEnabled=boolean storageMode=string storagePool=string system=string volumeName=string
v1.SeccompProfile: localhostProfile=string type=string
v1.SecretEnvSource: name=string optional=boolean
v1.SecretKeySelector: key=string name=string optional=boolean
v1.SecretProjection: items=[]v1.KeyToPath name=string optional=boolean
v1.SecretVolumeSource: defaultMode=integer items=[]v1.KeyToPath optional=boolean secretName=string
v1.SecurityContext: allowPrivilegeEscalation=boolean appArmorProfile=v1.AppArmorProfile capabilities=v1.Capabilities privileged=boolean procMount=string readOnlyRootFilesystem=boolean runAsGroup=integer runAsNonRoot=boolean runAsUser=integer seLinuxOptions=v1.SELinuxOptions seccompProfile=v1.SeccompProfile windowsOptions=v1.WindowsSecurityContextOptions
v1.ServiceAccountTokenProjection: audience=string expirationSeconds=integer path=string
v1.SleepAction: seconds=integer
v1.StorageOSVolumeSource: fsType=string readOnly=boolean secretRef=v1.LocalObjectReference volumeName=string volumeNamespace=string
v1.Sysctl: name=string value=string
v1.TCPSocketAction: host=string port=intstr.IntOrString
v1.Time: string
v1.Toleration: effect=string key=string operator=string tolerationSeconds=integer value=string
v1.TypedLocalObjectReference: apiGroup=string kind=string name=string
v1.TypedObjectReference: apiGroup=string kind=string name=string namespace=string
v1.Volume: awsElasticBlockStore=v1.AWSElasticBlockStoreVolumeSource azureDisk=v1.AzureDiskVolumeSource azureFile=v1.AzureFileVolumeSource cephfs=v1.CephFSVolumeSource cinder=v1.CinderVolumeSource configMap=v1.ConfigMapVolumeSource csi=v1.CSIVolumeSource downwardAPI=v1.DownwardAPIVolumeSource emptyDir=v1.EmptyDirVolumeSource ephemeral=v1.EphemeralVolumeSource fc=v1.FCVolumeSource flexVolume=v1.FlexVolumeSource flocker=v1.FlockerVolumeSource gcePersistentDisk=v1.GCEPersistentDiskVolumeSource gitRepo=v1.GitRepoVolumeSource glusterfs=v1.GlusterfsVolumeSource hostPath=v1.HostPathVolumeSource image=v1.ImageVolumeSource>=3.7 iscsi=v1.ISCSIVolumeSource name=string nfs=v1.NFSVolumeSource persistentVolumeClaim=v1.PersistentVolumeClaimVolumeSource photonPersistentDisk=v1.PhotonPersistentDiskVolumeSource portworxVolume=v1.PortworxVolumeSource projected=v1.ProjectedVolumeSource quobyte=v1.QuobyteVolumeSource rbd=v1.RBDVolumeSource scaleIO=v1.ScaleIOVolumeSource secret=v1.SecretVolumeSource storageos=v1.StorageOSVolumeSource vsphereVolume=v1.VsphereVirtualDiskVolumeSource
v1.VolumeDevice: devicePath=string name=string
v1.VolumeMount: mountPath=string mountPropagation=string name=string readOnly=boolean recursiveReadOnly=string subPath=string subPathExpr=string
v1.VolumeProjection: clusterTrustBundle=v1.ClusterTrustBundleProjection configMap=v1.ConfigMapProjection downwardAPI=v1.DownwardAPIProjection podCertificate=v1.PodCertificateProjection>=4.1 secret=v1.SecretProjection serviceAccountToken=v1.ServiceAccountTokenProjection
v1.VolumeResourceRequirements: limits={}resource.Quantity requests={}resource.Quantity
v1.VsphereVirtualDiskVolumeSource: fsType=string storagePolicyID=string storagePolicyName=string volumePath=string
v1.WeightedPodAffinityTerm: podAffinityTerm=v1.PodAffinityTerm weight=integer
v1.WindowsSecurityContextOptions: gmsaCredentialSpec=string gmsaCredentialSpecName=string hostProcess=boolean runAsUserName=string
"""
