//go:build unix

package throwaway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errNoRedis = errors.New("redis-server was not found: install it with `apt-get install -y redis-server`")

// Redis starts a new Redis without a password. It never evicts. ctx bounds only
// the start.
func Redis(ctx context.Context, o Options) (*Server, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errNoRedis
	}
	r := recipe{
		name:    "redis",
		orderly: syscall.SIGTERM,
		quick:   syscall.SIGTERM,
		ready:   redisReady,
		url:     func(port int) string { return fmt.Sprintf("redis://127.0.0.1:%d/0", port) },
		command: func(dir string, port int) *exec.Cmd {
			cmd := exec.Command(bin, redisArgs(o, dir, port)...)
			cmd.Dir = dir
			return cmd
		},
	}
	return begin(ctx, r, func(context.Context, string) error { return nil })
}

func redisArgs(o Options, dir string, port int) []string {
	settings := map[string]string{
		"port":             strconv.Itoa(port),
		"bind":             "127.0.0.1",
		"dir":              dir,
		"save":             "",
		"appendonly":       "no",
		"maxmemory-policy": "noeviction",
	}
	if o.Durable {
		settings["appendonly"] = "yes"
	}
	maps.Copy(settings, o.Settings)
	var args []string
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--"+k, settings[k])
	}
	return args
}

// redisReady asks who answers on the port, and whether it has read its data.
func redisReady(_ string, port, pid int) bool {
	conn, err := net.DialTimeout("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	if _, err := io.WriteString(conn, "INFO\r\n"); err != nil {
		return false
	}
	info, err := bulk(bufio.NewReader(conn))
	return err == nil &&
		strings.Contains(info, fmt.Sprintf("\r\nprocess_id:%d\r\n", pid)) &&
		strings.Contains(info, "\r\nloading:0\r\n")
}

// bulk reads one bulk string of the Redis protocol: "$<length>\r\n<bytes>\r\n".
func bulk(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "$")))
	if err != nil || n < 0 || n > 1<<20 {
		return "", fmt.Errorf("no bulk string: %.100q", line)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return string(b), err
}
