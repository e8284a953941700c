// Prints a line for each event: in order, and none is missed, whoever is killed or restarted.
package main

import (
	"encoding/binary"
	"fmt"
	"os"

	zmq "github.com/pebbe/zmq4"
	"github.com/vmihailenco/msgpack/v5"
)

type fields = map[string]interface{}

var live, _ = zmq.NewSocket(zmq.SUB)
var control, _ = zmq.NewSocket(zmq.DEALER)
var requests, last, stored int64

func integer(value interface{}) (n int64) { // msgpack has them in many sizes
	fmt.Sscan(fmt.Sprint(value), &n)
	return n
}

// ask returns the daemon's reply; it asks again while nobody answers.
func ask(request fields) fields {
	for requests++; ; requests++ {
		request["id"] = requests
		body, _ := msgpack.Marshal(request)
		control.SendBytes(body, 0)
		for frames, err := control.RecvMessageBytes(0); err == nil; frames, err = control.RecvMessageBytes(0) {
			reply := fields{}
			msgpack.Unmarshal(frames[len(frames)-1], &reply)
			if integer(reply["id"]) == requests { // others are late
				return reply
			}
		}
	}
}

// commit stores the cursor, or goes to where it is: somebody else has moved it (steno replay).
func commit(name string) {
	reply := ask(fields{"verb": "commit", "name": name, "offset": last, "was": stored})
	if reply["ok"] == true {
		stored = last
	} else if reply["error"].(fields)["code"] != "internal" {
		last = integer(ask(fields{"verb": "cursor", "name": name})["offset"])
		stored = last
	}
}

func handle(offset int64, body []byte) {
	event := fields{"provider": "-", "model": "-", "call_id": "-"}
	msgpack.Unmarshal(body, &event)
	fmt.Println(offset, event["event"], event["provider"], event["model"], event["call_id"])
	last = offset
}

func main() {
	if len(os.Args) < 2 || os.Args[1][0] == '-' {
		fmt.Fprintln(os.Stderr, "usage: subscriber NAME [TOPIC...]\n\nNAME: the cursor under which the daemon keeps how far this has come.")
		os.Exit(2)
	}
	name, topics, runtime := os.Args[1], os.Args[2:], fmt.Sprint("/tmp/steno-", os.Getuid())
	if xdg, set := os.LookupEnv("XDG_RUNTIME_DIR"); set {
		runtime = xdg + "/steno"
	}
	if dir, set := os.LookupEnv("STENO_DIR"); set {
		runtime = dir
	}
	live.SetSubscribe(map[bool]string{true: "", false: "steno.heartbeat"}[len(topics) == 0])
	for _, topic := range topics {
		live.SetSubscribe(topic)
	}
	live.Connect("ipc://" + runtime + "/events.out")
	control.SetRcvtimeo(3e9) // 3 s
	control.Connect("ipc://" + runtime + "/control")
	commit(name) // last and stored are 0: goes to where the cursor is
	for {
		frames, _ := live.RecvMessageBytes(0)
		offset := int64(binary.BigEndian.Uint64(frames[1]))
		if string(frames[0]) == "steno.heartbeat" { // once a second
			commit(name)
		} else if offset == last+1 {
			handle(offset, frames[2])
		}
		for end := false; offset > last && !end; { // something was missed, or did not match
			reply := ask(fields{"verb": "replay", "after": last, "topics": topics})
			for _, each := range reply["events"].([]interface{}) {
				handle(integer(each.([]interface{})[0]), each.([]interface{})[2].([]byte))
			}
			last, end = integer(reply["last"]), reply["end"].(bool)
			commit(name)
		}
	}
}
