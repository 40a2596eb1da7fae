// Verify what Orkestra signs with golang.org/x/mod/sumdb, which nobody of Orkestra wrote.
//
// Reads one JSON case from stdin: a checkpoint with its verifier key, inclusion proofs, and consistency proofs.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type Inclusion struct {
	Index int64    `json:"index"`
	Body  string   `json:"body"`
	Proof []string `json:"proof"`
}

type Consistency struct {
	From     int64    `json:"from"`
	To       int64    `json:"to"`
	FromRoot string   `json:"from_root"`
	ToRoot   string   `json:"to_root"`
	Proof    []string `json:"proof"`
}

type Case struct {
	Checkpoint  string        `json:"checkpoint"`
	Key         string        `json:"key"`
	Inclusions  []Inclusion   `json:"inclusions"`
	Consistency []Consistency `json:"consistency"`
}

func fail(format string, args ...interface{}) {
	fmt.Printf(format+"\n", args...)
	os.Exit(1)
}

func hashOf(text string) (h tlog.Hash) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != tlog.HashSize {
		fail("not a hash: %q", text)
	}
	copy(h[:], raw)
	return h
}

func hashes(texts []string) (found []tlog.Hash) {
	for _, text := range texts {
		found = append(found, hashOf(text))
	}
	return found
}

func main() {
	var c Case
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		fail("case: %v", err)
	}
	verifier, err := note.NewVerifier(c.Key)
	if err != nil {
		fail("key: %v", err)
	}
	opened, err := note.Open([]byte(c.Checkpoint), note.VerifierList(verifier))
	if err != nil {
		fail("note: %v", err)
	}
	var origin, root string
	var size int64
	if _, err := fmt.Sscanf(opened.Text, "%s\n%d\n%s\n", &origin, &size, &root); err != nil {
		fail("checkpoint: %v", err)
	}
	for _, one := range c.Inclusions {
		body, err := base64.StdEncoding.DecodeString(one.Body)
		if err != nil {
			fail("body: %v", err)
		}
		if err := tlog.CheckRecord(hashes(one.Proof), size, hashOf(root), one.Index, tlog.RecordHash(body)); err != nil {
			fail("inclusion of %d: %v", one.Index, err)
		}
	}
	for _, one := range c.Consistency {
		if err := tlog.CheckTree(hashes(one.Proof), one.To, hashOf(one.ToRoot), one.From, hashOf(one.FromRoot)); err != nil {
			fail("consistency of %d and %d: %v", one.From, one.To, err)
		}
	}
	fmt.Printf("ok %s: %d inclusions, %d consistency proofs\n", origin, len(c.Inclusions), len(c.Consistency))
}
