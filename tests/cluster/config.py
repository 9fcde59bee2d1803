"""The text of every configuration file of the cluster: pure functions of their arguments.

JSON wherever the reader takes YAML, since JSON is YAML and needs no library to write.
"""

import base64
import json
from dataclasses import dataclass

BRIDGE_ADDRESS = "10.89.0.1"
DOMAIN = "cluster.local"
API = f"{BRIDGE_ADDRESS}:6443"
API_SERVER = f"https://{API}"
SERVICE_CIDR = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
POD_CIDR = "10.88.0.0/16"
KAFKA = f"{BRIDGE_ADDRESS}:9092"
KAFKA_SASL_TLS = f"{BRIDGE_ADDRESS}:9094"
KAFKA_MUTUAL_TLS = f"{BRIDGE_ADDRESS}:9095"
KAFKA_SASL = f"{BRIDGE_ADDRESS}:9096"
KAFKA_OUTER = f"{BRIDGE_ADDRESS}:9097"
"""For clients that come through a door, and so know the broker by another address."""
KAFKA_PLAIN_USER = ("plain-user", "plain-password")
KAFKA_CLUSTER_ID = "bG9jYWwtdGVzdC1rYWZrYQ"


@dataclass(frozen=True)
class Node:
    """A node: its name, its address on the bridge, and the addresses of its pods."""

    name: str
    address: str
    pods: str


NODES = (
    Node("node1", "10.89.0.11", "10.88.0.0/17"),
    Node("node2", "10.89.0.12", "10.88.128.0/17"),
)

# A node's own tree inside its mount namespace: short, since the paths of Unix sockets may
# not be longer than 107 characters, and the same on each node.
NODE_HOME = "/run/node"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


def address(text: str) -> tuple[str, int]:
    """Part `host:port`."""
    host, _, port = text.partition(":")
    return host, int(port)


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def kubeconfig(ca: bytes, certificate: bytes, key: bytes, user: str) -> str:
    """A kubeconfig that holds everything it needs."""
    cluster = {"server": API_SERVER, "certificate-authority-data": _base64(ca)}
    identity = {
        "client-certificate-data": _base64(certificate),
        "client-key-data": _base64(key),
    }
    return _json(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "embedded", "cluster": cluster}],
            "users": [{"name": user, "user": identity}],
            "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": user}}],
            "current-context": "embedded",
        }
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def kubelet(node: Node, cgroup: str, pki: str) -> str:
    """A kubelet that shares a small machine: no reservations, no evictions, no swap check."""
    thresholds = ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available")
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": node.address,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{pki}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{pki}/{node.name}-serving.crt",
            "tlsPrivateKeyFile": f"{pki}/{node.name}-serving.key",
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": cgroup,
            "cgroupsPerQOS": True,
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "serializeImagePulls": False,
            "resolvConf": "",
            "clusterDNS": [BRIDGE_ADDRESS],
            "clusterDomain": DOMAIN,
            "volumePluginDir": f"{NODE_HOME}/kubelet/volume-plugins",
            "evictionHard": dict.fromkeys(thresholds, "0%"),
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            # What waits for a pod's end or its logs should not wait for a slow machine's habits.
            "syncFrequency": "10s",
            "nodeStatusUpdateFrequency": "4s",
            "kubeAPIQPS": 200,
            "kubeAPIBurst": 400,
            "maxPods": 500,
            # A pod that is killed without a warning can end a kubelet 1.34 that looks whether to
            # resize it (a null pointer in doPodResizeAction).
            "featureGates": {"InPlacePodVerticalScaling": False},
            "serverTLSBootstrap": False,
            "rotateCertificates": False,
            "logging": {"flushFrequency": "1s"},
        }
    )


def kube_proxy(node: Node, kubeconfig_path: str) -> str:
    """A kube-proxy that leaves the machine-wide connection table alone."""
    return _json(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": kubeconfig_path},
            "hostnameOverride": node.name,
            "mode": "iptables",
            "clusterCIDR": POD_CIDR,
            "iptables": {"minSyncPeriod": "100ms"},
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        }
    )


def containerd(snapshotter: str, sandbox_image: str) -> str:
    """Containerd with all that it writes under the node's own tree."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    runc = f"{cri}.containerd.runtimes.runc"
    return f"""version = 2
root = "{NODE_HOME}/containerd"
state = "/run/containerd/state"
# Where optional programs would be installed; containerd makes it when it starts.
[plugins."io.containerd.internal.v1.opt"]
path = "{NODE_HOME}/opt"
[grpc]
address = "{CONTAINERD_SOCKET}"
[{cri}]
sandbox_image = "{sandbox_image}"
# Lowering one's score needs a capability that containers of CI machines do not have.
restrict_oom_score_adj = true
max_concurrent_downloads = 1
[{cri}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{NODE_HOME}/cni"
[{cri}.containerd]
snapshotter = "{snapshotter}"
[{runc}]
runtime_type = "io.containerd.runc.v2"
[{runc}.options]
SystemdCgroup = false
"""


def cni(node: Node) -> str:
    """A bridge for the node's pods. Routes between nodes make address translation needless."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": f"{NODE_HOME}/cni-addresses",
            "ranges": [[{"subnet": node.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return _json({"cniVersion": "0.4.0", "name": "pods", "plugins": plugins})


def corefile(kubeconfig_path: str) -> str:
    """The cluster's names. There is nobody here to ask for others, so there are none."""
    return f"""{DOMAIN} in-addr.arpa {{
  errors
  kubernetes {{
    kubeconfig {kubeconfig_path}
    ttl 5
  }}
}}
. {{
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def audit_policy() -> str:
    """Who did what to the objects that this project is about, without their content."""
    groups = [
        {"group": "cloudharness.io"},
        {"group": "argoproj.io"},
        # Of JobSet, which a benchmark compares.
        {"group": "jobset.x-k8s.io"},
        {"group": "batch"},
        {
            "group": "",
            "resources": ["configmaps", "events", "persistentvolumeclaims", "pods", "pods/log"],
        },
        {"group": "events.k8s.io"},
        {"group": "coordination.k8s.io", "resources": ["leases"]},
    ]
    return _json(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata", "resources": groups}, {"level": "None"}],
        }
    )


def kafka_properties(data: str) -> str:
    """One broker that is its own controller, for clients on the bridge and in pods."""
    return f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{BRIDGE_ADDRESS}:9093
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{KAFKA},CONTROLLER://{BRIDGE_ADDRESS}:9093
advertised.listeners=PLAINTEXT://{KAFKA}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=true
"""


def kafka_security(pki: str, door: str) -> str:
    """What makes the broker listen, besides, as those do that people really have.

    Kept apart from what the data directory is formatted with, since no certificate is there then.
    Of a property that is there twice, the last counts. Who comes without a name may do everything,
    as before; whom a topic's ACLs do not name may not use that topic.
    """
    name, password = KAFKA_PLAIN_USER
    inner = f"PLAINTEXT://{KAFKA},SASL_SSL://{KAFKA_SASL_TLS},SSL://{KAFKA_MUTUAL_TLS}"
    inner += f",SASL_PLAINTEXT://{KAFKA_SASL}"
    security = "org.apache.kafka.common.security"
    scram = f"{security}.scram.ScramLoginModule required;"
    plain = f'{security}.plain.PlainLoginModule required user_{name}="{password}";'
    return f"""listeners={inner},OUTER://{KAFKA_OUTER},CONTROLLER://{BRIDGE_ADDRESS}:9093
advertised.listeners={inner},OUTER://{door}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,\
SASL_PLAINTEXT:SASL_PLAINTEXT,OUTER:PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={pki}/kafka.pem
ssl.truststore.type=PEM
ssl.truststore.location={pki}/ca.crt
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}
listener.name.sasl_ssl.plain.sasl.jaas.config={plain}
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={scram}
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config={scram}
listener.name.sasl_plaintext.plain.sasl.jaas.config={plain}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
"""


def kafka_logging() -> str:
    """Everything of note to standard output, which is the component's log."""
    return """<Configuration status="warn">
  <Appenders><Console name="out"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""
