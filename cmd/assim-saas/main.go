// Command assim-saas is the hosted service.
package main

import (
	"os"

	"assimilation/saas/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
