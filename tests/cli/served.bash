# What native lock servers on TCP, and their clients, need.
#
#   free_port                  prints a port of this machine
#   authority NAME             $PLACE/NAME.pem and .key sign certificates
#   certificate NAME CA [SUBJECT-ALTERNATIVE-NAME]
#                              $PLACE/NAME.pem and .key, signed by CA
#   shown NAME                 what clients show from now on
#
# Must be sourced by a bats file (bash), after place.bash.

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

certificate() {
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$PLACE/$1.key" -out "$PLACE/$1.csr" 2>/dev/null
  openssl x509 -req -in "$PLACE/$1.csr" -CA "$PLACE/$2.pem" -CAkey "$PLACE/$2.key" -CAcreateserial \
    -days "${DAYS-2}" -out "$PLACE/$1.pem" -extfile <(echo "subjectAltName=${3-DNS:$1}") 2>/dev/null
}

authority() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$PLACE/$1.key" \
    -out "$PLACE/$1.pem" 2>/dev/null
}

shown() {
  printf 'tls_certificate %s\ntls_key %s\ntls_authority %s\n' "$PLACE/$1.pem" "$PLACE/$1.key" \
    "$PLACE/ca.pem" >"$PLACE/conf/options"
}
