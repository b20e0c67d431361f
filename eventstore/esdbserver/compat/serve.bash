# What both suites share: a folder for the run, and the store that they connect to, in
# clear at localhost:2114 and with TLS at localhost:2115, over one new data folder.
# Sourced with bash, from the root of the repository.

# compat_folder makes the run's folder, $compat, and takes it away at the end.
compat_folder() {
	compat=$(mktemp -d "${TMPDIR:-/tmp}/daybook-compat.XXXXXX")
	trap compat_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

compat_end() {
	local code=$?
	if [ -n "${store_pid:-}" ]; then
		kill "$store_pid" 2>/dev/null || true
		wait "$store_pid" 2>/dev/null || true
	fi
	if [ "$code" != 0 ] && [ -s "${compat:-}/store.log" ]; then
		echo "the last words of the store:" >&2
		tail -n 20 "$compat/store.log" >&2
	fi
	# What Go's module cache holds is not writable, so a copy of it is not either.
	chmod -R u+w "$compat" 2>/dev/null || true
	rm -rf "$compat"
	exit "$code"
}

# listening PORT succeeds if somebody listens there.
listening() { (exec 3<>"/dev/tcp/localhost/$1") 2>/dev/null; }

# serve_store serves both addresses until the script ends.
serve_store() {
	local port
	for port in 2114 2115; do
		if listening "$port"; then
			echo "localhost:$port is taken: the suite needs it" >&2
			return 1
		fi
	done
	mkdir -p "$compat/certs"
	go run ./eventstore/esdbserver/compat/certs "$compat/certs"
	go build -o "$compat/daybook" ./cmd/daybook
	DAYBOOK_STORE_ADMIN_PASSWORD=changeit "$compat/daybook" store serve --data "$compat/data" --writable \
		--insecure --listen localhost:2114 \
		--tls-listen localhost:2115 --tls-cert "$compat/certs/node.crt" --tls-key "$compat/certs/node.key" \
		>"$compat/store.log" 2>&1 &
	store_pid=$!
	local tries=0
	until listening 2114 && listening 2115; do
		tries=$((tries + 1))
		if [ "$tries" -gt 300 ] || ! kill -0 "$store_pid" 2>/dev/null; then
			echo "the store did not begin to listen" >&2
			return 1
		fi
		sleep 0.1
	done
}
