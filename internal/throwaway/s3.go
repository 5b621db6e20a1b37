//go:build unix

package throwaway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// S3AccessKey and S3SecretKey are the keys of every S3 server.
const (
	S3AccessKey = "easel-access"
	S3SecretKey = "easel-secret-0123456789"
)

// s3Version is the version of the S3 server that tests run on.
const s3Version = "v1.8.0"

var errNoS3 = errors.New("versitygw was not found: install it with `.ci/needs`, or with `go install github.com/versity/versitygw/cmd/versitygw@" + s3Version + "`")

// S3 starts a new S3 server with path-style addresses and no bucket. ctx bounds
// only the start.
func S3(ctx context.Context, o Options) (*Server, error) {
	bin, err := s3Binary()
	if err != nil {
		return nil, err
	}
	r := recipe{
		name:    "s3",
		orderly: syscall.SIGTERM,
		quick:   syscall.SIGTERM,
		ready:   s3Ready,
		url:     func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) },
		command: func(dir string, port int) *exec.Cmd {
			cmd := exec.Command(bin, "--quiet", "--keep-alive", "--port", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
				"posix", "--sidecar", filepath.Join(dir, "meta"), cmp.Or(o.Objects, filepath.Join(dir, "objects")))
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ROOT_ACCESS_KEY=" + S3AccessKey, "ROOT_SECRET_KEY=" + S3SecretKey}
			return cmd
		},
	}
	return begin(ctx, r, func(_ context.Context, dir string) error {
		return errors.Join(os.Mkdir(filepath.Join(dir, "meta"), 0o700), os.Mkdir(filepath.Join(dir, "objects"), 0o700))
	})
}

// s3Binary is where .ci/needs puts the server, or where the PATH has it.
func s3Binary() (string, error) {
	if cache, err := os.UserCacheDir(); err == nil {
		built := filepath.Join(cache, "easel-tools", "versitygw-"+s3Version, "versitygw")
		if info, err := os.Stat(built); err == nil && info.Mode().IsRegular() {
			return built, nil
		}
	}
	bin, err := exec.LookPath("versitygw")
	if err != nil {
		return "", errNoS3
	}
	return bin, nil
}

// s3Ready asks who answers on the port: a request without a signature is refused.
func s3Ready(_ string, port, _ int) bool {
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusForbidden
}
