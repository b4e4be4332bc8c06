package acceptance

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// serverFolder names the folder of a server in the environment of the process that is to be one.
const (
	serverFolder  = "ROLLCALL_ACCEPTANCE_SERVER"
	serverAddress = "ROLLCALL_ACCEPTANCE_ADDRESS"
	serverTLS     = "ROLLCALL_ACCEPTANCE_TLS" // not empty: with the certificate in the folder

	serverVersions = "ROLLCALL_ACCEPTANCE_VERSIONS" // not empty: its buckets may have versions, and with them Object Lock
)

const (
	accessKey = "acceptance"
	secretKey = "acceptance-secret"
	region    = "us-east-1"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(serverFolder); folder != "" {
		if err := serve(folder, os.Getenv(serverAddress)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	forget()
	os.Exit(code)
}

// serve is an S3 server until the process is killed. Objects are plain files under data/BUCKET/KEY;
// what else S3 knows of them lies in meta.
func serve(folder, address string) error {
	if err := os.MkdirAll(filepath.Join(folder, "meta"), 0o755); err != nil {
		return err
	}
	side, err := meta.NewSideCar(filepath.Join(folder, "meta"))
	if err != nil {
		return err
	}
	options := posix.PosixOpts{SideCarDir: filepath.Join(folder, "meta")}
	if os.Getenv(serverVersions) != "" {
		options.VersioningDir = filepath.Join(folder, "versions")
	}
	disk, err := posix.New(filepath.Join(folder, "data"), side, options)
	if err != nil {
		return err
	}
	var stored backend.Backend = disk
	if options.VersioningDir != "" {
		stored = markers{disk, side}
	}
	cert, key := "", ""
	if os.Getenv(serverTLS) != "" {
		cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	}
	return embedgw.RunVersityGW(context.Background(), stored, &embedgw.Config{
		CertFile: cert, KeyFile: key,
		RootUserAccess: accessKey, RootUserSecret: secretKey, Region: region, IAMDir: filepath.Join(folder, "iam"),
		Ports: []string{address}, MaxConnections: 512, MaxRequests: 256, MultipartMaxParts: 10_000, Quiet: true, KeepAlive: true,
	})
}

// Server is a running S3 server with one empty bucket.
type Server struct {
	Endpoint string // http://127.0.0.1:PORT
	Bucket   string
	Folder   string // objects are files here, by key: DuckDB reads them without httpfs
	CA       string // path of the certificate to trust; empty without TLS
	Client   *s3.Client
}

// S3 starts a server of its own for the test and ends it with the test.
func S3(t testing.TB) *Server { return launch(t, false, false) }

// S3TLS is S3 behind a certificate that only Env's AWS_CA_BUNDLE makes known.
func S3TLS(t testing.TB) *Server { return launch(t, true, false) }

// S3Locking is S3 with versions and Object Lock switched on for its bucket, without a default.
func S3Locking(t testing.TB) *Server { return launch(t, false, true) }

func launch(t testing.TB, secure, locking bool) *Server {
	t.Helper()
	folder := t.TempDir()
	s := &Server{Bucket: "audit", Folder: filepath.Join(folder, "data", "audit")}
	for _, sub := range []string{filepath.Join(folder, "data"), filepath.Join(folder, "iam"), filepath.Join(folder, "versions")} {
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	address := freeAddress(t)
	s.Endpoint = "http://" + address
	settings := []string{serverFolder + "=" + folder, serverAddress + "=" + address}
	if secure {
		s.Endpoint, s.CA = "https://"+address, certify(t, folder)
		settings = append(settings, serverTLS+"=yes")
	}
	if locking {
		settings = append(settings, serverVersions+"=yes")
	}
	start(t, settings)
	s.Client = s.connect(t)
	s.await(t)
	if _, err := s.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &s.Bucket, ObjectLockEnabledForBucket: &locking}); err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs this binary again as a server.
func start(t testing.TB, settings []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var talk bytes.Buffer
	server := exec.Command(self)
	server.Env = append(os.Environ(), settings...)
	server.Stdout, server.Stderr = &talk, &talk
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
		if t.Failed() {
			t.Logf("the S3 server said:\n%s", talk.String())
		}
	})
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// connect makes a client for looking at the bucket from outside Rollcall.
func (s *Server) connect(t testing.TB) *s3.Client {
	t.Helper()
	options := []func(*config.LoadOptions) error{config.WithRegion(region), config.WithHTTPClient(awshttp.NewBuildableClient()),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""))}
	if s.CA != "" {
		bundle, err := os.Open(s.CA)
		if err != nil {
			t.Fatal(err)
		}
		defer bundle.Close()
		options = append(options, config.WithCustomCABundle(bundle))
	}
	cfg, err := config.LoadDefaultConfig(context.Background(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(s.Endpoint), true })
}

// await waits until the server listens.
func (s *Server) await(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, err := s.Client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the S3 server does not answer: %v", err)
		}
	}
}

// proxy forwards requests to a server as they come, but for who stands before it.
func proxy(t testing.TB, endpoint string) *httputil.ReverseProxy {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
}

// Env is what the program needs in its environment to use the server.
func (s *Server) Env() []string {
	env := []string{
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_REGION=" + region,
		"AWS_EC2_METADATA_DISABLED=true", "S3_ENDPOINT=" + s.Endpoint,
	}
	if s.CA != "" {
		env = append(env, "AWS_CA_BUNDLE="+s.CA)
	}
	return env
}

// Objects lists all keys, ascending.
func (s *Server) Objects(t testing.TB) []string {
	t.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{Bucket: &s.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range page.Contents {
			keys = append(keys, aws.ToString(object.Key))
		}
	}
	slices.Sort(keys)
	return keys
}

// Uploads lists the keys of open multipart uploads, ascending.
func (s *Server) Uploads(t testing.TB) []string {
	t.Helper()
	var keys []string
	pages := s3.NewListMultipartUploadsPaginator(s.Client, &s3.ListMultipartUploadsInput{Bucket: &s.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, upload := range page.Uploads {
			keys = append(keys, aws.ToString(upload.Key))
		}
	}
	slices.Sort(keys)
	return keys
}

// Put puts an object there, as somebody else than Rollcall would.
func (s *Server) Put(t testing.TB, key string, content []byte) {
	t.Helper()
	if _, err := s.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &s.Bucket, Key: &key, Body: bytes.NewReader(content)}); err != nil {
		t.Fatal(err)
	}
}
