// Command generate writes the overlay with the mutants of the service's guards.
package main

import (
	"fmt"
	"os"

	"assimilation/tenancy/tenancytest/mutants"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: generate MODULE-ROOT FOLDER")
		os.Exit(2)
	}
	all, err := mutants.Write(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%6d  guards in the code can be broken\n", len(all))
}
