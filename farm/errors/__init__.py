"""Every error the farm raises on purpose, as one hierarchy.

An error says four things to whoever meets it: a stable ``code`` (documented, never renamed), whether a retry
may help (``retryable``), what to do about it (``hint``), and a message built from its keyword-only fields.
The message template is the first line of the class's docstring, so reading the class is reading the error. A hint is a
template too: it names what is concerned, so that a command in it can be copied.

Each family has a module of its own. All are imported from here, and here is where pickled errors look for them::

    FarmError
      InvalidRequest
        HostNotServed
        BackupBroken
        BadDesign
          DesignNotAnImage
          DesignTooLarge
          DesignTooManyPixels
          DesignTruncated
          DesignDecodeFailed
          DesignNotFound
        FetchRefused
          SharePage
        WebhookRefused
        ManifestBroken
        LowResolution
        PrintOffCloth
        IdempotencyMismatch
        BodyTooLarge
        TemplateRefused
      InvalidSettings
      NotFound
        DesignUnknown
      DesignDeleted
      Conflict
        AlreadyExists
        IllegalTransition
        JobEnded
        StillInFlight
      DesignGone
      Unauthorised
      Forbidden
        PriorityTooHigh
        PictureSignatureWrong
        PictureKeyRetired
      PictureExpired
      TooManyRequests
      QueueFull
      RenderError
        ViewTimedOut
        ViewStalled
        AttemptOvertaken
        BlenderCrashed
        OutOfMemory
        GpuOutOfMemory
        BadPicture
        BadModel
        DiskFull
      TemplateBroken
      TemplateChildFailed
      BakeMissing
        FilmBakeMissing
      BakeTooSmall
      BakeBroken
      InfrastructureError
        StoreUnavailable
          StoreNotWritable
          StoreUnfit
            StoreNotDurable
            StoreTooOld
            StoreEvicts
        StorageUnavailable
        StorageForbidden
        ObjectMissing
        ObjectAltered
        ShopUnavailable
        ShopRefused
          ShopForbidden
        FetchFailed
        WebhookFailed
        ClusterUnavailable
          VersionMismatch
        FarmStarting
        MissingLibrary
      SagaError
        StepTimedOut
        StepExhausted
        ViewExhausted
        JobHopeless
        CompensationFailed
        DeadlineExceeded
        RunStopped
        FailpointReached
    Fenced (a BaseException: no ``except Exception`` swallows it)
"""

from farm.errors.access import *
from farm.errors.base import *
from farm.errors.base import _rebuild, every_error
from farm.errors.conflict import *
from farm.errors.design import *
from farm.errors.infrastructure import *
from farm.errors.missing import *
from farm.errors.render import *
from farm.errors.request import *
from farm.errors.saga import *
from farm.errors.saga import Fenced
from farm.errors.template import *

# Pickles name the module of a class: nodes of different versions, and pickles from before, know this one alone.
for _name in (*every_error(), Fenced, _rebuild):
    _name.__module__ = __name__
