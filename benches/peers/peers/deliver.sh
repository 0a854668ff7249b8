#!/bin/sh
# What adnanh/webhook runs for an event. The values go out as they are, which is enough for the sample.
exec curl -sf -o /dev/null -H "X-Event-Id: $1" -H 'Content-Type: application/json' --data-binary \
  "{\"id\":$2,\"name\":\"$3 $4\",\"email\":\"$5\",\"language\":\"$6\",\"city\":\"$7\",\"interests\":$8,\"updated_at\":\"$9\"}" \
  http://DESTINATION/d/0
