// Pins the release of Argo CD that tests sync Git with, by its checksum in go.sum.
// It is built in a copy of its own module, with its own go.mod and go.sum.
module cloudharness.io/tests/cluster/argocd

go 1.25.0
