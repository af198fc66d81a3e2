package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/subscriptions"
	"example.org/comet/server/wire"
)

// openSubscriptions opens the file of who follows whom, if there is to be one.
func (c *core) openSubscriptions() (err error) {
	switch {
	case c.Subscriptions == "":
		return nil
	case c.SubscriptionsReadOnly:
		c.subscriptions, err = subscriptions.OpenReadOnly(c.Subscriptions)
	default:
		_, before := os.Stat(c.Subscriptions)
		c.subscriptions, err = subscriptions.Open(c.Subscriptions)
		if err == nil && errors.Is(before, fs.ErrNotExist) {
			c.Logger.Info("there was no such file of subscriptions: this one is new, and nobody follows anybody", "file", c.Subscriptions)
		}
	}
	if err == nil && c.Exchange != nil {
		c.replica = newSharing(c)
	}
	return err
}

func (c *core) closeSubscriptions() {
	if c.subscriptions == nil {
		return
	}
	if err := c.subscriptions.Close(); err != nil {
		c.Logger.Error("the file of subscriptions could not be closed", "error", err)
	}
}

// pair reads the ids of a request from its path, and answers it if they are none
// or there is no file. publishers is empty for a path without one.
func (a *admin) pair(w http.ResponseWriter, r *http.Request) (follower int64, publishers []int64, ok bool) {
	follower, ok = wire.ParseID([]byte(r.PathValue("follower")))
	if text := r.PathValue("publisher"); text != "" && ok {
		var publisher int64
		publisher, ok = wire.ParseID([]byte(text))
		publishers = []int64{publisher}
	}
	switch {
	case !ok:
		adminhttp.Fail(w, http.StatusBadRequest, "follower and publisher must be whole numbers from 0 to 9223372036854775807, as in /subscriptions/1/7")
	case a.server.core.subscriptions == nil:
		adminhttp.Fail(w, http.StatusNotFound, errNoSubscriptions.Error())
	default:
		return follower, publishers, true
	}
	return 0, nil, false
}

// getPublishers answers GET /subscriptions/{follower}.
func (a *admin) getPublishers(w http.ResponseWriter, r *http.Request) {
	follower, _, ok := a.pair(w, r)
	if !ok {
		return
	}
	ids, n, err := a.server.core.subscriptions.Publishers(follower)
	if err != nil {
		adminhttp.Fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	adminhttp.Reply(w, http.StatusOK, publisherList{slices.AppendSeq(make([]int64, 0, n), ids)})
}

// publisherList is whom a follower follows.
type publisherList struct {
	Publishers []int64 `json:"publishers"`
}

// getSubscription answers GET /subscriptions/{follower}/{publisher}.
func (a *admin) getSubscription(w http.ResponseWriter, r *http.Request) {
	follower, publishers, ok := a.pair(w, r)
	if !ok {
		return
	}
	ids, _, err := a.server.core.subscriptions.Publishers(follower)
	if err != nil {
		adminhttp.Fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	follows := false
	for id := range ids {
		if follows = id == publishers[0]; id >= publishers[0] {
			break
		}
	}
	adminhttp.Reply(w, http.StatusOK, struct {
		Follows bool `json:"follows"`
	}{follows})
}

// change answers PUT and DELETE of one subscription, or of all of a follower's, once
// the change is on the disk.
func (a *admin) change(w http.ResponseWriter, r *http.Request) {
	follower, publishers, ok := a.pair(w, r)
	if !ok {
		return
	}
	file := a.server.core.subscriptions
	do := file.Set
	switch {
	case len(publishers) > 0 && r.Method == http.MethodPut:
		do = file.Add
	case len(publishers) > 0:
		do = file.Remove
	case r.Method == http.MethodPut:
		var err error
		publishers, err = readPublishers(w, r)
		switch {
		case errors.Is(err, errLongList):
			adminhttp.Fail(w, http.StatusRequestEntityTooLarge, err.Error())
			return
		case err != nil:
			adminhttp.Fail(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	changed, err := do(follower, publishers...)
	switch {
	case errors.Is(err, subscriptions.ErrReadOnly):
		adminhttp.Fail(w, http.StatusForbidden, "this server only reads the file of subscriptions: start it without --subscriptions-read-only to change it")
	case err != nil:
		adminhttp.Fail(w, http.StatusInternalServerError, err.Error())
	default:
		answer := changeAnswer{Changed: changed}
		if s := a.server.core.replica; s != nil {
			answer.confirmed = new(confirmed)
			answer.Nodes, answer.Known = s.Confirmed(r.Context(), changed)
		}
		adminhttp.Reply(w, http.StatusOK, answer)
	}
}

// changeAnswer answers PUT and DELETE.
type changeAnswer struct {
	subscriptions.Changed
	*confirmed
}

// confirmed is what a server that is not alone adds.
type confirmed struct {
	Nodes int `json:"nodes"` // servers that have the change on their disks, this one included
	Known int `json:"known"` // servers with subscriptions that are known, this one included
}

// mostPublishers limits the body of PUT /subscriptions/{follower}, in bytes.
const mostPublishers = 8 << 20

var errLongList = fmt.Errorf("the list is longer than %d MiB: add publishers one by one, with PUT /subscriptions/1/7", mostPublishers>>20)

// readPublishers reads the body of PUT /subscriptions/{follower}.
func readPublishers(w http.ResponseWriter, r *http.Request) ([]int64, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostPublishers))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, errLongList
	}
	if err != nil {
		return nil, fmt.Errorf("the list did not come whole: %w", err)
	}
	var list struct {
		// Of a null encoding/json makes nil here, and 0 of it among plain numbers.
		Publishers []*int64 `json:"publishers"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf(`the body is not {"publishers":[7,8]}: %w`, withoutTypes(err))
	}
	if list.Publishers == nil || slices.ContainsFunc(list.Publishers, func(id *int64) bool { return id == nil || *id < 0 }) {
		return nil, errors.New(`the body must be {"publishers":[7,8]}, with whole numbers from 0`)
	}
	ids := make([]int64, len(list.Publishers))
	for i, id := range list.Publishers {
		ids[i] = *id
	}
	return ids, nil
}
