// The two parts of Argo CD that sync an Application, in one program: its name picks the part.
// Upstream's own program has the UI's server, the command line and more besides, which take
// longer to compile than these.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
)

func main() {
	parts := map[string]func() *cobra.Command{
		"argocd-application-controller": controller.NewCommand,
		"argocd-repo-server":            reposerver.NewCommand,
	}
	name := filepath.Base(os.Args[0])
	part, known := parts[name]
	if !known {
		fmt.Fprintln(os.Stderr, "error: call it argocd-application-controller or argocd-repo-server, not", name)
		os.Exit(2)
	}
	if err := part().Execute(); err != nil {
		os.Exit(1)
	}
}
