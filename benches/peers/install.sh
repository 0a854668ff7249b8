#!/usr/bin/env bash
# Installs the peers that `cargo bench --bench peers` runs beside Hookswitch: Debian packages and pinned npm packages.
#
#   benches/peers/install.sh
#
# The npm packages go into target/bench, not into the system. Services that the packages bring are stopped by nobody here:
# where one starts by itself, stop it, or it will disturb the runs.
set -euo pipefail
cd "$(dirname "$0")/../.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
package() { [ -e "$1" ] || missing+=("$2"); } # file package
package /usr/sbin/nginx nginx
package /usr/lib/nginx/modules/ngx_http_js_module.so libnginx-mod-http-js
package /usr/bin/webhook webhook
package /usr/bin/redis-server redis-server
package /usr/bin/curl curl
package /usr/bin/taskset util-linux
package /usr/bin/node nodejs
package /usr/bin/npm npm
if [ ${#missing[@]} -gt 0 ]; then
  as_root apt-get update -qq
  as_root apt-get install -y --no-install-recommends "${missing[@]}"
fi

mkdir -p target/bench
cp benches/peers/peers/package.json target/bench/
npm install --prefix target/bench --no-audit --no-fund --omit=optional
