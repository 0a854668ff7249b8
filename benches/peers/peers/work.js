// The work, as every Node peer does it: verify with HMAC, filter on the type, reshape to seven fields.
const { createHmac, timingSafeEqual } = require('node:crypto')

const WANTED = 'client.updated'

// Whether `signature` is that of the body.
exports.verify = (body, signature, secret) => {
  const expected = Buffer.from('sha256=' + createHmac('sha256', secret).update(body).digest('hex'))
  const given = Buffer.from(signature || '')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

exports.wanted = (event) => event.event_name === WANTED

exports.reshape = ({ object }) => ({
  id: object.id,
  name: `${object.first_name} ${object.last_name}`,
  email: object.email,
  language: object.language,
  city: object.addresses[0].city,
  interests: object.interests,
  updated_at: object.updated_at,
})
