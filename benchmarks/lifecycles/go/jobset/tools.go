//go:build tools

// Package tools names the program that benchmarks/lifecycles builds.
package tools

import _ "sigs.k8s.io/jobset"
