#!/bin/bash
# What two cities need before anything starts: keys, passwords, and the directory that the federation
# office signs of both. Made at the first start; later ones leave it alone and sign the directory
# anew, so that it does not run out.
#
# Everything lies in one volume, and a service is given only its own folders of it:
#   500000/keys/records  500000/keys/public  500000/secrets/records  directory
set -euo pipefail
cd /data

make_city() { # make_city CODE NAME NAME_EN BASE_PORT
    [ -e "$1/node.json" ] || jiexu init "$1" "$2" --name-en "$3" --base-port "$4" \
        --url "http://${3,,}-transfer-api:8100"
    [ -e "$1/secrets" ] || make_secrets "$1"
}

# One PostgreSQL role per service, which owns its schema and sees no other (docs/security.md).
make_secrets() { # make_secrets CODE
    local draft=$1/.secrets service word
    rm -rf "$draft"
    mkdir -p "$draft/postgres"
    password >"$draft/postgres/password"
    {
        echo 'REVOKE ALL ON DATABASE jiexu FROM PUBLIC;'
        for service in registry records rewards transfer; do
            word=$(password)
            mkdir -m 0700 "$draft/$service"
            echo "$word" >"$draft/$service/database.password"
            chmod 0400 "$draft/$service/database.password"
            echo "CREATE ROLE $service LOGIN PASSWORD '$word';"
            echo "GRANT CONNECT ON DATABASE jiexu TO $service;"
            echo "CREATE SCHEMA $service AUTHORIZATION $service;"
            echo "GRANT pg_read_all_stats TO $service;"
        done
    } >"$draft/postgres/roles.sql"
    # PostgreSQL's image runs as a user of its own, known here by its group.
    chgrp -R "$POSTGRES_GROUP" "$draft/postgres"
    chmod 0750 "$draft/postgres"
    chmod 0440 "$draft/postgres"/*
    mv "$draft" "$1/secrets"
}

password() { head -c 18 /dev/urandom | base64 | tr '+/' '-_'; }

make_city 500000 重庆 Chongqing "${CHONGQING_PORTS}00"
make_city 510100 成都 Chengdu "${CHENGDU_PORTS}00"

jiexu directory sign
# The office keeps its key to itself; what it signed, and the public key, are for everybody.
mkdir -p directory
python -c 'import json; print(*json.load(open("500000/node.json"))["directory_keys"], sep=",")' \
    >directory/key
cp office/directory.json directory/.draft
mv -f directory/.draft directory/directory.json
