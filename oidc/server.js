// An independent OpenID Provider for the tests of single sign-on; what it shall be comes as JSON in OIDC.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const asked = JSON.parse(process.env.OIDC);
const { privateKey } = generateKeyPairSync(asked.key === 'ES256' ? 'ec' : 'rsa',
  asked.key === 'ES256' ? { namedCurve: 'P-256' } : { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: asked.kid, use: 'sig', alg: asked.key };

const provider = new Provider(asked.issuer, {
  clients: [{
    client_id: asked.client_id,
    client_secret: asked.client_secret,
    redirect_uris: asked.redirect_uris,
    id_token_signed_response_alg: asked.key,
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }],
  jwks: { keys: [key] },
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true, methods: ['S256'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  // The address is the account: whoever types it on the provider's page is signed in as it.
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: true, name: 'Known to the provider' }),
  }),
});

const { port, hostname } = new URL(asked.issuer);
provider.listen(Number(port), hostname, () => console.log('ready'));
