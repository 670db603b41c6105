// Print the variables that Docker Compose reads from a file, as one JSON object.
package main

import (
	"encoding/json"
	"os"

	"github.com/compose-spec/compose-go/dotenv"
)

func main() {
	v, err := dotenv.Read(os.Args[1])
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(v)
}
