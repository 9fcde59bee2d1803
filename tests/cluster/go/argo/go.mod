// Pins the releases of Argo that the test cluster can run, by their checksums in go.sum.
// Argo itself is built in a copy of its own module, with its own go.mod and go.sum.
module cloudharness.io/tests/cluster/argo

go 1.24.0
