//go:build tools

// Keeps the module of the programs, which are built by their import path, in go.mod.
package main

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
