"""The tables behind the de-identification check.

DICOM attributes by keyword, after PS3.15 table E.1-1 (Basic Application Level Confidentiality Profile) without those
that rules in `deidentification` cover by their kind: persons' names, dates, private attributes, overlays and UIDs.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IDENTITY = _words("""
    AccessionNumber AdditionalPatientHistory AdmissionID AuthorObserverSequence BranchOfService CassetteID
    ClinicalTrialProtocolEthicsCommitteeApprovalNumber ClinicalTrialSiteID ClinicalTrialSiteName
    ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ConsultingPhysicianIdentificationSequence
    ContentCreatorIdentificationCodeSequence CountryOfResidence CurrentPatientLocation CustodialOrganizationSequence
    DetectorID DeviceSerialNumber DeviceUID DigitalSignaturesSequence EthnicGroup
    FillerOrderNumberImagingServiceRequest GantryID GeneratorID GraphicAnnotationSequence IconImageSequence
    ImageComments InstitutionAddress InstitutionalDepartmentName InstitutionalDepartmentTypeCodeSequence
    InstitutionCodeSequence InstitutionName InsurancePlanIdentification InterpretationText IssuerOfAdmissionID
    IssuerOfPatientID LabelText MedicalAlerts MedicalRecordLocator MilitaryRank ModifiedAttributesSequence NetworkID
    Occupation OperatorIdentificationSequence OrderCallbackPhoneNumber OrderCallbackTelecomInformation
    OrderEntererLocation OriginalAttributesSequence OtherPatientIDs OtherPatientIDsSequence ParticipantSequence
    PatientAddress PatientBirthTime PatientComments PatientID PatientInstitutionResidence
    PatientInsurancePlanCodeSequence PatientPrimaryLanguageCodeSequence PatientReligiousPreference
    PatientTelecomInformation PatientTelephoneNumbers PerformedLocation PerformedProcedureStepID
    PerformedStationName PerformingPhysicianIdentificationSequence PersonAddress PersonIdentificationCodeSequence
    PersonTelecomInformation PersonTelephoneNumbers PhysiciansOfRecordIdentificationSequence
    PhysiciansReadingStudyIdentificationSequence PlacerOrderNumberImagingServiceRequest PlateID
    ReferencedPatientPhotoSequence ReferencedPatientSequence ReferringPhysicianAddress
    ReferringPhysicianIdentificationSequence ReferringPhysicianTelephoneNumbers RegionOfResidence
    RequestAttributesSequence RequestedProcedureID RequestingPhysicianIdentificationSequence RequestingService
    ResponsibleOrganization ResultsComments RetrieveAETitle ScannerSettingsSequence ScheduledProcedureStepID
    ScheduledStationAETitle ScheduledStationName ServiceEpisodeDescription ServiceEpisodeID SourceManufacturer
    SourceSerialNumber StationAETitle StationName StudyComments StudyID TextString UniqueDeviceIdentifier
    VerifyingObserverIdentificationCodeSequence VerifyingOrganization VisitComments XRaySourceID
""")
"""Identifiers, contacts, institutions, devices and remarks."""

CHARACTERISTICS = _words("""
    AcquisitionComments AdmittingDiagnosesDescription Allergies DerivationDescription PatientAge
    PatientBodyMassIndex PatientSex PatientSize PatientWeight PerformedProcedureStepDescription PregnancyStatus
    ProtocolName ReasonForStudy RequestedProcedureDescription SeriesDescription SmokingStatus StudyDescription
""")
"""Who the patient is like, and descriptions that are usually kept and may hold more than they should."""

PLACEHOLDERS = _words("""
    - 0 anon anonymised anonymized anonymous deidentified n/a na none null removed unknown withheld
""")
"""Values that say nothing."""

PNG_HARMLESS = _words("""
    adobe adobe_transform aspect bbox chromaticity date:create date:modify date:timestamp default_image dpi duration
    exif gamma icc_profile interlace jfif jfif_density jfif_unit jfif_version loop mp photoshop progression
    progressive Software srgb transparency Warning xmp
""")
"""Keys of Pillow's `info` that hold no text of people."""

PNG_NAMES = _words("""
    artist author copyright creator description owner patient subject title
""")
"""Keywords of PNG text chunks (ISO/IEC 15948, 11.3.4.2) and comments that are about people or what is shown."""

EXIF = {
    0x010E: "ImageDescription",
    0x013B: "Artist",
    0x8298: "Copyright",
    0x0132: "DateTime",
    0x9003: "DateTimeOriginal",
    0x9004: "DateTimeDigitized",
    0x9286: "UserComment",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9D: "XPAuthor",
    0x9C9E: "XPKeywords",
    0x9C9F: "XPSubject",
    0xA420: "ImageUniqueID",
    0xA430: "CameraOwnerName",
    0xA431: "BodySerialNumber",
    0xA435: "LensSerialNumber",
    0x8825: "GPS",
}
"""EXIF tags about people, places, times and devices."""

TIFF = {306: "DateTime", 315: "Artist", 316: "HostComputer", 33432: "Copyright", 33723: "IPTC", 34853: "GPS"}
"""TIFF tags about people, places and times."""
