/**
 * A tag with behaviour: what has the system tag `protected::<reason>` is not deleted, also not along with something else.
 * @type {import('@skerry/plugin').Plugin}
 */
export default {
  name: 'protected',
  version: '1.0.0',
  summary: 'Keeps what is tagged protected::<reason> from being deleted',
  tags: ['vmInstance', 'volume', 'image'].map((resource) => ({
    resource,
    pattern: 'protected::{reason}',
    apis: ['Destroy*', 'Delete*', 'Expunge*'],
    check({ tokens, refuse }) {
      if (tokens.reason.trim().length < 3) refuse('say in at least three letters why it is protected')
    },
    vet({ api, tokens, refuse }) {
      // Taking the tag off is how one lets it go.
      if (!api.includes('Tag')) refuse(`it is protected: ${tokens.reason}`)
    },
  })),
}
