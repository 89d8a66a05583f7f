// Connect's REST API through the Go clients of Redpanda Console, of the Terraform provider, and go-kafka's.
//
// Run as `connect CLIENT URL FOLDER`. It ends with an error at the first answer that is not understood, or is understood
// otherwise than it should. What the clients themselves do wrong stands beside the check that steps around it.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"
)

const (
	sourceClass = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	sinkClass   = "org.apache.kafka.connect.file.FileStreamSinkConnector"
)

// place is where a client works: names begin with the client's.
type place struct {
	url, folder, name, topic, input string
}

func newPlace(client, url, folder string) place {
	input := filepath.Join(folder, client+"-input")
	must(os.WriteFile(input, []byte("one\ntwo\nthree\n"), 0o644))
	return place{url, folder, client, client + "-topic", input}
}

// source reads three lines; more are further settings, key and value in turn.
func (p place) source(more ...string) map[string]string {
	return with(map[string]string{"connector.class": sourceClass, "file": p.input, "topic": p.topic, "tasks.max": "1"}, more)
}

// failing is a sink whose task fails: its file is in a folder that is not there.
func (p place) failing() map[string]string {
	file := filepath.Join(p.folder, "no", "such", "folder")
	return map[string]string{"connector.class": sinkClass, "file": file, "topics": p.topic}
}

func with(config map[string]string, more []string) map[string]string {
	for i := 0; i+1 < len(more); i += 2 {
		config[more[i]] = more[i+1]
	}
	return config
}

// anything makes a config of the type that most clients want.
func anything(config map[string]string) map[string]interface{} {
	wide := map[string]interface{}{}
	for key, value := range config {
		wide[key] = value
	}
	return wide
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(found, expected interface{}) {
	if !reflect.DeepEqual(found, expected) {
		panic(fmt.Errorf("%#v is not %#v", found, expected))
	}
}

func holds(text, part string) {
	if !strings.Contains(text, part) {
		panic(fmt.Errorf("%q is not in %q", part, text))
	}
}

// eventually looks until the condition is true.
func eventually(what string, condition func() (bool, error)) {
	end := time.Now().Add(time.Minute)
	for {
		ok, err := condition()
		if ok && err == nil {
			return
		}
		if time.Now().After(end) {
			panic(fmt.Errorf("%s: not within a minute; last error: %w", what, orNone(err)))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func orNone(err error) error {
	if err == nil {
		return errors.New("none")
	}
	return err
}

func main() {
	client, url, folder := os.Args[1], os.Args[2], os.Args[3]
	drivers := map[string]func(place){"console": console, "terraform": terraform, "go-kafka": goKafka}
	drivers[client](newPlace(client, url, folder))
	fmt.Printf("%s: all understood\n", client)
}
