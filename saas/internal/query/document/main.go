// Command document prints docs/queries.md; it is behind `make generate`.
package main

import (
	"fmt"
	"os"

	"assimilation/saas/internal/query"
)

func main() {
	if err := query.Document(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "document:", err)
		os.Exit(1)
	}
}
