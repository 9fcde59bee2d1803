//go:build tools

// Keeps the modules of programs that are built by their import path in go.mod.
package main

import _ "helm.sh/helm/v3/cmd/helm"
