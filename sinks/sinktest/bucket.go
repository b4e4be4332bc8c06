package sinktest

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pageSize is the most that one listing answers, as S3's.
const pageSize = 1000

// Bucket is one S3 bucket in memory, an http.Handler and, by Do, an HTTP client that asks it without
// a socket. It follows the S3 API reference where sealing depends on it: conditional writes,
// multipart uploads with SHA-256 checksums, paging. It refuses whatever it does not know and checks
// no signatures. The zero value with a Name is empty and ready.
type Bucket struct {
	Name    string
	MinPart int // least bytes of a part that is not the last; S3 has 5 MiB
	Locking ObjectLock
	Ignores func(*http.Request) bool // whose conditions are not looked at; nil: all are heeded
	Dialect Dialect

	mu      sync.Mutex
	archive map[string]bool // keys of objects that must be restored before they can be read
	objects map[string]object
	uploads map[string]*multipart // by upload ID
	begun   int
	log     []*http.Request
}

type object struct {
	content  []byte
	etag     string
	checksum string
	header   http.Header // of the request that made it
	modified time.Time
	retained retention
}

type multipart struct {
	key    string
	begun  time.Time
	header http.Header
	parts  map[int]object
}

// refusal is an S3 error answer.
type refusal struct {
	status int
	code   string
	more   string // XML beside code and message
}

func (r refusal) Error() string { return r.code }

// Put puts an object there without asking any condition.
func (b *Bucket) Put(key string, content []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep(key, object{content: content, etag: etagOf(content)})
}

// Delete takes an object away without asking any condition, as a lifecycle rule does.
func (b *Bucket) Delete(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, key)
}

// Archive moves an object to where it can't be read, as a lifecycle rule does.
func (b *Bucket) Archive(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.archive == nil {
		b.archive = map[string]bool{}
	}
	b.archive[key] = true
}

// Clone is another bucket with the same objects and uploads.
func (b *Bucket) Clone() *Bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &Bucket{Name: b.Name, MinPart: b.MinPart, Locking: b.Locking, Ignores: b.Ignores, Dialect: b.Dialect, archive: maps.Clone(b.archive), objects: maps.Clone(b.objects), uploads: map[string]*multipart{}, begun: b.begun}
	for id, upload := range b.uploads {
		copied := *upload
		copied.parts = maps.Clone(upload.parts)
		c.uploads[id] = &copied
	}
	return c
}

// Keys lists the objects, ascending.
func (b *Bucket) Keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.objects))
}

// Uploads lists the keys of open uploads, ascending.
func (b *Bucket) Uploads() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []string
	for _, upload := range b.uploads {
		keys = append(keys, upload.key)
	}
	slices.Sort(keys)
	return keys
}

// Begin begins an upload that nobody will finish.
func (b *Bucket) Begin(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.create(key, nil)
}

// Requests lists the requests so far, without their bodies.
func (b *Bucket) Requests() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log)
}

// Do answers a request as an HTTP client would.
func (b *Bucket) Do(request *http.Request) (*http.Response, error) {
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	b.ServeHTTP(recorder, request)
	answer := recorder.Result()
	answer.Request = request
	answer.ContentLength = int64(recorder.Body.Len())
	if request.Method == http.MethodHead {
		answer.ContentLength, _ = strconv.ParseInt(answer.Header.Get("Content-Length"), 10, 64)
	}
	return answer, nil
}

// ServeHTTP answers requests in path style and virtual-hosted ones.
func (b *Bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var content []byte
	if r.Body != nil {
		var err error
		if content, err = io.ReadAll(r.Body); err != nil {
			return // the client broke off
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, r)
	key, err := b.address(w, r)
	if err == nil {
		err = b.serve(w, r, key, content)
	}
	if no, refused := errors.AsType[refusal](err); refused {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(no.status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s %s</Message>%s</Error>", no.code, r.Method, b.Name, no.more)
		}
	}
}

func (b *Bucket) serve(w http.ResponseWriter, r *http.Request, key string, content []byte) error {
	query := r.URL.Query()
	switch operation := r.Method + " " + query.Get("x-id"); {
	case key == "" && r.Method == http.MethodGet && query.Get("list-type") == "2":
		return b.listObjects(w, r)
	case key == "" && r.Method == http.MethodGet && query.Has("object-lock"):
		return b.lockConfiguration(w)
	case query.Has("retention"):
		return b.retention(w, r, key, content)
	case key == "" && r.Method == http.MethodGet && query.Has("uploads"):
		return b.listUploads(w, r)
	case operation == "PUT PutObject":
		return b.putObject(w, r, key, content)
	case operation == "PUT UploadPart":
		return b.putPart(w, r, key, content)
	case r.Method == http.MethodPost && query.Has("uploads"):
		return answer(w, struct {
			XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
			UploadId string
		}{UploadId: b.create(key, r.Header)})
	case r.Method == http.MethodPost && query.Has("uploadId"):
		return b.complete(w, r, key, content)
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return b.abort(w, query.Get("uploadId"), key)
	case r.Method == http.MethodDelete:
		return b.deleteObject(w, r, key)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return b.getObject(w, r, key)
	}
	return refusal{status: http.StatusNotImplemented, code: "NotImplemented"}
}

func answer(w http.ResponseWriter, body any) error {
	w.Header().Set("Content-Type", "application/xml")
	return xml.NewEncoder(w).Encode(body)
}

func etagOf(content []byte) string {
	sum := md5.Sum(content)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (b *Bucket) keep(key string, o object) {
	if b.objects == nil {
		b.objects = map[string]object{}
	}
	if o.modified.IsZero() {
		o.modified = time.Now()
	}
	b.objects[key] = o
	delete(b.archive, key)
}

// conditions holds If-Match and If-None-Match against what is there ("Conditional requests" page).
func (b *Bucket) conditions(r *http.Request, key string) error {
	there, found := b.objects[key]
	if r.Method != http.MethodGet && r.Method != http.MethodHead && there.retained.holds() {
		return refusal{status: http.StatusForbidden, code: "AccessDenied"}
	}
	none, match := r.Header.Get("If-None-Match"), r.Header.Get("If-Match")
	if b.Ignores != nil && b.Ignores(r) {
		return nil
	}
	switch {
	case none != "" && none != "*":
		return refusal{status: http.StatusNotImplemented, code: "NotImplemented"}
	case none == "*" && found:
		return refusal{status: http.StatusPreconditionFailed, code: "PreconditionFailed"}
	case match != "" && !found:
		return refusal{status: http.StatusNotFound, code: "NoSuchKey"}
	case match != "" && match != there.etag:
		return refusal{status: http.StatusPreconditionFailed, code: "PreconditionFailed"}
	}
	return nil
}

// proved holds the content against the SHA-256 that the request must carry.
func (b *Bucket) proved(r *http.Request, content []byte) (string, error) {
	if b.Dialect.NoChecksums {
		return "", nil
	}
	sum := sha256.Sum256(content)
	got := base64.StdEncoding.EncodeToString(sum[:])
	switch r.Header.Get("X-Amz-Checksum-Sha256") {
	case got:
		return got, nil
	case "":
		return "", refusal{status: http.StatusBadRequest, code: "InvalidRequest"}
	default:
		return "", refusal{status: http.StatusBadRequest, code: "BadDigest"}
	}
}

func (b *Bucket) putObject(w http.ResponseWriter, r *http.Request, key string, content []byte) error {
	checksum, err := b.proved(r, content)
	if err != nil {
		return err
	}
	if err := b.conditions(r, key); err != nil {
		return err
	}
	o := object{content: content, etag: etagOf(content), checksum: checksum, header: r.Header}
	b.keep(key, o)
	w.Header().Set("ETag", o.etag)
	return nil
}

func (b *Bucket) getObject(w http.ResponseWriter, r *http.Request, key string) error {
	o, found := b.objects[key]
	if !found {
		return refusal{status: http.StatusNotFound, code: "NoSuchKey"}
	}
	if err := b.conditions(r, key); err != nil {
		return err
	}
	if b.archive[key] && r.Method == http.MethodGet {
		return refusal{status: http.StatusForbidden, code: "InvalidObjectState"}
	}
	content, status := o.content, http.StatusOK
	if wanted := r.Header.Get("Range"); wanted != "" {
		var from, last int
		if n, _ := fmt.Sscanf(wanted, "bytes=%d-%d", &from, &last); n != 2 || from >= len(content) || last < from {
			return refusal{status: http.StatusRequestedRangeNotSatisfiable, code: "InvalidRange"}
		}
		content, status = content[from:min(last+1, len(content))], http.StatusPartialContent
	}
	w.Header().Set("ETag", o.etag)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" && o.checksum != "" && status == http.StatusOK {
		w.Header().Set("X-Amz-Checksum-Sha256", o.checksum)
	}
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		w.Write(content)
	}
	return nil
}

func (b *Bucket) deleteObject(w http.ResponseWriter, r *http.Request, key string) error {
	if err := b.conditions(r, key); err != nil {
		return err
	}
	delete(b.objects, key)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type listed struct {
	Key          string
	Size         int        `xml:",omitempty"`
	ETag         string     `xml:",omitempty"`
	LastModified *time.Time `xml:",omitempty"`
	UploadId     string     `xml:",omitempty"`
}

func (b *Bucket) listObjects(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	page := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []listed
	}{}
	prefix, after := query.Get("prefix"), query.Get("continuation-token")
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		rest, under := strings.CutPrefix(key, prefix)
		if !under || key <= after || query.Get("delimiter") == "/" && strings.Contains(rest, "/") {
			continue
		}
		if len(page.Contents) == pageSize {
			page.IsTruncated, page.NextContinuationToken = true, page.Contents[pageSize-1].Key
			break
		}
		o := b.objects[key]
		modified := o.modified.UTC().Truncate(time.Second)
		page.Contents = append(page.Contents, listed{Key: key, Size: len(o.content), ETag: o.etag, LastModified: &modified})
	}
	return answer(w, page)
}

func (b *Bucket) listUploads(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	page := struct {
		XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
		IsTruncated        bool
		NextKeyMarker      string `xml:",omitempty"`
		NextUploadIdMarker string `xml:",omitempty"`
		Upload             []listed
	}{}
	var open []listed
	for id, upload := range b.uploads {
		if strings.HasPrefix(upload.key, query.Get("prefix")) {
			open = append(open, listed{Key: upload.key, UploadId: id})
		}
	}
	order := func(a, b listed) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.UploadId, b.UploadId)) }
	slices.SortFunc(open, order)
	after := listed{Key: query.Get("key-marker"), UploadId: query.Get("upload-id-marker")}
	for _, upload := range open {
		if order(upload, after) <= 0 {
			continue
		}
		if len(page.Upload) == pageSize {
			last := page.Upload[pageSize-1]
			page.IsTruncated, page.NextKeyMarker, page.NextUploadIdMarker = true, last.Key, last.UploadId
			break
		}
		page.Upload = append(page.Upload, upload)
	}
	return answer(w, page)
}

func (b *Bucket) create(key string, header http.Header) string {
	if b.uploads == nil {
		b.uploads = map[string]*multipart{}
	}
	b.begun++
	id := fmt.Sprintf("upload-%06d", b.begun)
	b.uploads[id] = &multipart{key: key, begun: time.Now(), header: header, parts: map[int]object{}}
	return id
}

func (b *Bucket) upload(id, key string) (*multipart, error) {
	upload, found := b.uploads[id]
	if !found || upload.key != key {
		return nil, refusal{status: http.StatusNotFound, code: "NoSuchUpload"}
	}
	return upload, nil
}

func (b *Bucket) putPart(w http.ResponseWriter, r *http.Request, key string, content []byte) error {
	upload, err := b.upload(r.URL.Query().Get("uploadId"), key)
	if err != nil {
		return err
	}
	checksum, err := b.proved(r, content)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
	if err != nil || number < 1 || number > 10_000 {
		return refusal{status: http.StatusBadRequest, code: "InvalidArgument"}
	}
	part := object{content: content, etag: etagOf(content), checksum: checksum}
	upload.parts[number] = part
	w.Header().Set("ETag", part.etag)
	return nil
}

func (b *Bucket) abort(w http.ResponseWriter, id, key string) error {
	if _, err := b.upload(id, key); err != nil {
		return err
	}
	delete(b.uploads, id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (b *Bucket) complete(w http.ResponseWriter, r *http.Request, key string, content []byte) error {
	id := r.URL.Query().Get("uploadId")
	upload, err := b.upload(id, key)
	if err != nil {
		return err
	}
	if err := b.conditions(r, key); err != nil {
		return err
	}
	o, err := b.assemble(upload, content)
	if err != nil {
		return err
	}
	b.keep(key, o)
	delete(b.uploads, id)
	return answer(w, struct {
		XMLName              xml.Name `xml:"CompleteMultipartUploadResult"`
		ETag, ChecksumSHA256 string
	}{ETag: o.etag, ChecksumSHA256: o.checksum})
}

// assemble holds the list of parts that the request names against those that arrived.
func (b *Bucket) assemble(upload *multipart, content []byte) (object, error) {
	var list struct {
		Part []struct {
			PartNumber           int
			ETag, ChecksumSHA256 string
		}
	}
	if err := xml.Unmarshal(content, &list); err != nil || len(list.Part) == 0 {
		return object{}, refusal{status: http.StatusBadRequest, code: "MalformedXML"}
	}
	var whole bytes.Buffer
	sums := sha256.New()
	for i, named := range list.Part {
		part, found := upload.parts[named.PartNumber]
		switch {
		case !found || part.etag != named.ETag || part.checksum != named.ChecksumSHA256 && !b.Dialect.NoChecksums:
			return object{}, refusal{status: http.StatusBadRequest, code: "InvalidPart"}
		case i > 0 && named.PartNumber <= list.Part[i-1].PartNumber:
			return object{}, refusal{status: http.StatusBadRequest, code: "InvalidPartOrder"}
		case i < len(list.Part)-1 && len(part.content) < b.MinPart:
			return object{}, refusal{status: http.StatusBadRequest, code: "EntityTooSmall"}
		}
		whole.Write(part.content)
		sum, _ := base64.StdEncoding.DecodeString(part.checksum)
		sums.Write(sum)
	}
	checksum := fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(sums.Sum(nil)), len(list.Part))
	if b.Dialect.NoChecksums {
		checksum = ""
	}
	etag := strings.TrimSuffix(etagOf(whole.Bytes()), `"`) + fmt.Sprintf(`-%d"`, len(list.Part))
	return object{content: whole.Bytes(), etag: etag, checksum: checksum, header: upload.header, modified: upload.begun}, nil
}
