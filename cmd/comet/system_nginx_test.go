//go:build system

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// startNginx starts nginx with nchan at an address, with workers that hold so many
// connections each, and returns its pid.
func startNginx(t *testing.T, addr string, workers, connections int, locations string) (pid string) {
	t.Helper()
	nginx := need(t, "nginx")
	const module = "/usr/lib/nginx/modules/ngx_nchan_module.so"
	if _, err := os.Stat(module); err != nil {
		t.Skip("libnginx-mod-nchan is not installed")
	}
	folder := t.TempDir()
	config := filepath.Join(folder, "nginx.conf")
	text := fmt.Sprintf(`load_module %s; daemon off; pid %s/pid; error_log %[2]s/error.log; worker_processes %[3]d; user root;
events { worker_connections %[4]d; }
http { access_log off; client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s; scgi_temp_path %[2]s;
server { listen %[5]s; %[6]s } }`, module, folder, workers, connections, addr, locations)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	server, _ := background(t, nginx, "-p", folder, "-c", config)
	awaitAddr(t, addr)
	return strconv.Itoa(server.Process.Pid)
}

// startNchan starts nginx with nchan and two workers at an address, with the
// given directives for subscribers, and returns its pid.
func startNchan(t *testing.T, addr, subscriber string) (pid string) {
	t.Helper()
	return startNginx(t, addr, 2, 4096, fmt.Sprintf(`
 location ~ /sub/(\d+)$ { %s nchan_channel_id $1; }
 location ~ /pub/(\d+)$ { nchan_publisher; nchan_channel_id $1; }
 location /status { nchan_stub_status; }`, subscriber))
}
