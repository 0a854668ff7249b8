import crypto from 'crypto'

async function take(r) {
  const body = r.requestText
  const expected = 'sha256=' + crypto.createHmac('sha256', 'SECRET').update(body).digest('hex')
  if (r.headersIn['X-Signature'] !== expected) return r.return(401)
  const event = JSON.parse(body)
  if (event.event_name !== 'client.updated') return r.return(200)
  const object = event.object
  const payload = {
    id: object.id,
    name: `${object.first_name} ${object.last_name}`,
    email: object.email,
    language: object.language,
    city: object.addresses[0].city,
    interests: object.interests,
    updated_at: object.updated_at,
  }
  const answer = await r.subrequest('/deliver', { method: 'POST', body: JSON.stringify(payload) })
  r.return(answer.status >= 200 && answer.status < 300 ? 200 : 502)
}

export default { take }
