// Command assim is the tenant's command line: sites, tokens, hosts, queries
// and changes of one customer, over the service's API.
package main

import (
	"os"

	"assimilation/cmd/assim/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
