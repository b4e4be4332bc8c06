package sinktest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"time"
)

// ObjectLock says whether a bucket locks objects, and whether it does so by itself.
type ObjectLock struct {
	Enabled     bool
	DefaultDays int // of every new object; 0: none is locked by itself
}

// retention is the lock of one object. The bucket has no versions: it refuses to overwrite or
// remove what is locked, where S3 would keep the locked version under a new one or under a marker.
type retention struct {
	Mode            string
	RetainUntilDate time.Time
}

func (r retention) holds() bool { return r.RetainUntilDate.After(time.Now()) }

// Retained is the moment until which an object is locked; zero where it is not.
func (b *Bucket) Retained(key string) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.objects[key].retained.RetainUntilDate
}

// Retain locks an object until a moment, or no more, without asking any condition.
func (b *Bucket) Retain(key string, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.objects[key]
	o.retained = retention{Mode: "GOVERNANCE", RetainUntilDate: until}
	b.objects[key] = o
}

func (b *Bucket) lockConfiguration(w http.ResponseWriter) error {
	if !b.Locking.Enabled {
		return refusal{status: http.StatusNotFound, code: "ObjectLockConfigurationNotFoundError"}
	}
	rule := ""
	if days := b.Locking.DefaultDays; days > 0 {
		rule = fmt.Sprintf("<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>%d</Days></DefaultRetention></Rule>", days)
	}
	w.Header().Set("Content-Type", "application/xml")
	_, err := fmt.Fprintf(w, "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>%s</ObjectLockConfiguration>", rule)
	return err
}

// retention reads or puts the lock of an object ("PutObjectRetention" page): it can be made longer,
// and never shorter.
func (b *Bucket) retention(w http.ResponseWriter, r *http.Request, key string, content []byte) error {
	o, found := b.objects[key]
	switch {
	case !b.Locking.Enabled:
		return refusal{status: http.StatusBadRequest, code: "InvalidRequest"}
	case !found:
		return refusal{status: http.StatusNotFound, code: "NoSuchKey"}
	case r.Method == http.MethodGet && o.retained.Mode == "":
		return refusal{status: http.StatusNotFound, code: "NoSuchObjectLockConfiguration"}
	case r.Method == http.MethodGet:
		return answer(w, struct {
			XMLName xml.Name `xml:"Retention"`
			retention
		}{retention: o.retained})
	}
	var asked retention
	if err := xml.Unmarshal(content, &asked); err != nil || asked.Mode != "COMPLIANCE" && asked.Mode != "GOVERNANCE" {
		return refusal{status: http.StatusBadRequest, code: "MalformedXML"}
	}
	if !asked.holds() {
		return refusal{status: http.StatusBadRequest, code: "InvalidArgument"}
	}
	if o.retained.holds() && asked.RetainUntilDate.Before(o.retained.RetainUntilDate) {
		return refusal{status: http.StatusForbidden, code: "AccessDenied"}
	}
	o.retained = asked
	b.keep(key, o)
	return nil
}
